// `node main.js CLIENT PACKAGE`: runs one client. Prints one line of JSON: the version, and the error if there was one.
'use strict';

const fs = require('fs');
const path = require('path');

const [name, library] = process.argv.slice(2);

function report(error) {
  const manifest = fs.readFileSync(path.join(process.env.NODE_PATH, library, 'package.json'), 'utf8');
  const found = { version: JSON.parse(manifest).version };
  if (error) found.error = `${error.stack ?? error} ${error.cause ?? ''}`;
  process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(error ? 1 : 0));
}

process.on('uncaughtException', report);
process.on('unhandledRejection', report);
require('./clients')[name]().then(() => report(), report);
