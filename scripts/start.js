'use strict'

// `npm start`: sets up a fresh clone and runs the hypercore example.

const { setUpThen } = require('./setup')

setUpThen(() => require('../examples/hypercore').main())
