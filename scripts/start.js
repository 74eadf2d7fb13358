'use strict'

// `npm start`: makes a fresh clone ready and runs the hypercore example.

const { setUpThen } = require('./setup')

setUpThen(() => require('../examples/hypercore').main())
