export default { test: { include: ['exporter.vitest.mjs'] } }
