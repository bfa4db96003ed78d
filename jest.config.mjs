/** Every suite is a Jest project run with its own roots by `scripts/test`; see scripts/testing/suites.ts. */
export default {
  testEnvironment: '<rootDir>/test/jest/environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/jest/strip-types.mjs' },
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/contracts/'],
  modulePathIgnorePatterns: ['/dist/', '/.hexachord/'],
  haste: { enableSymlinks: false },
  watchman: false,
}
