/** What every suite shares; scripts/testing/suites.ts says which files belong to which. */
export default {
  testEnvironment: '<rootDir>/test/jest/environment.mjs',
  testSequencer: '<rootDir>/test/jest/long-files-first.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/jest/strip-types.mjs' },
  testMatch: ['<rootDir>/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '<rootDir>/contracts/', '<rootDir>/.hexachord/'],
  modulePathIgnorePatterns: ['/dist/', '<rootDir>/.hexachord/'],
  haste: { enableSymlinks: false },
  watchman: false,
}
