// Has a type error on purpose: the test makes sure that the compiler sees one.
import HypertracePrometheus = require('hypertrace-prometheus')

HypertracePrometheus({ port: true })
