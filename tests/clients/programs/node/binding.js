// The Secret as an application receives it: as environment variables, or as files below SERVICE_BINDING_ROOT.
'use strict';

const fs = require('fs');
const path = require('path');

exports.entry = (name) =>
  process.env[`REDIS_${name.toUpperCase()}`] ??
  fs.readFileSync(path.join(process.env.SERVICE_BINDING_ROOT, 'orders', name), 'utf8');

exports.MARKER = process.env.MARKER;
