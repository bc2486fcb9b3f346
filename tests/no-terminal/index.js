"use strict";

exports.spawn = () => {
  throw new Error("This cdktf has no terminal module: it can synth, not deploy or destroy.");
};
