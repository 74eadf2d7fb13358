// For `tsc` only: the modules that lib/load-binding.js requires do not exist before a build or an installation.

declare module '*.node'
declare module 'hypertrace-prometheus-*'

// Packages without types, which the examples use.

declare module 'hypercore'
declare module 'hypertrace'
