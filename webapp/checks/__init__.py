"""Checks of the AWS services the app uses: one module for each.

A check asks AWS and says what it found in words fit for everybody: no ARN, account or address. It
raises `AwsError` when a call fails; what that means is for `webapp.probe` to say.
"""
