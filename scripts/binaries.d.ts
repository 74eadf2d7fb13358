// For `tsc --checkJs` alone: what lib/load-binding.js asks for is not there before it is built or installed.

declare module '*.node'
declare module 'hypertrace-prometheus-*'
