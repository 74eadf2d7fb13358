// The registry of prom-client's successor.
import { Registry } from '@prometheus-io/client'
import HypertracePrometheus from 'hypertrace-prometheus'

HypertracePrometheus({ register: new Registry() })
