import os from 'node:os'
import path from 'node:path'

export default {
  // By default vitest writes its cache beside the tests.
  cacheDir: path.join(os.tmpdir(), 'hypertrace-prometheus-vitest'),
  test: { include: ['exporter.vitest.mjs'] }
}
