"""HTTP status codes of a service that works, as `health_status` names them."""


def accepts(statuses: str, status: int) -> bool:
    """Returns whether a status code is among some, such as `200`, `200,301` or `200-399`.

    Source of the form: Elastic Load Balancing API, Matcher.
    """
    for each in statuses.split(","):
        first, _, last = each.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False
