'use strict'

// Runs four processes of pm2.js in the cluster mode of PM2. One page shows all of them: http://localhost:4343/.
//
//   pm2 start examples/pm2.config.js
//   curl -s http://localhost:4343/metrics | grep ^trace_counter
//   pm2 reload jobs
//   pm2 delete jobs

const path = require('node:path')

module.exports = {
  apps: [{
    name: 'jobs',
    script: path.join(__dirname, 'pm2.js'),
    exec_mode: 'cluster',
    instances: 4,
    shutdown_with_message: true, // a signal ends a process of Windows before it can stop
    env: { PORT: process.env.PORT || '4343' }
  }]
}
