'use strict'

// Loaded before a program of runtimes.js: names the script that starts this Node.js.

process.execPath = process.env.PLATFORM_NODE ?? process.execPath
