'use strict'

// Loaded before a program. Sets `process.execPath` to the script of runtimes.js that starts this Node.js.

process.execPath = process.env.PLATFORM_NODE ?? process.execPath
