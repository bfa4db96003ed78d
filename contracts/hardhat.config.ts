import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import hardhatEthers from '@nomicfoundation/hardhat-ethers'
import hardhatEthersChaiMatchers from '@nomicfoundation/hardhat-ethers-chai-matchers'
import hardhatMocha from '@nomicfoundation/hardhat-mocha'
import hardhatNetworkHelpers from '@nomicfoundation/hardhat-network-helpers'
import { defineConfig } from 'hardhat/config'
import { definePlugin } from 'hardhat/plugins'

const require = createRequire(import.meta.url)

/** Hardhat leaves one core alone, which of two is half of the time. */
const compileOnAllCores = definePlugin({
  id: 'compile-on-all-cores',
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        build: (context, rootFiles, options, next) =>
          next(context, rootFiles, { concurrency: availableParallelism(), ...options }),
      }),
    }),
  },
})

/**
 * The compiler is the npm package itself, given by path: any other way would download one.
 * Contracts compile apart from tests, each in a job of its own, so that their bytecode depends on nothing but their sources.
 */
export default defineConfig({
  plugins: [compileOnAllCores, hardhatEthers, hardhatMocha, hardhatEthersChaiMatchers, hardhatNetworkHelpers],
  paths: { sources: 'src', tests: 'test' },
  solidity: {
    splitTestsCompilation: true,
    profiles: {
      default: {
        isolated: true,
        compilers: [
          {
            version: '0.8.37',
            path: require.resolve('solc/soljson.js'),
            settings: { optimizer: { enabled: true, runs: 10_000 }, evmVersion: 'cancun' },
          },
        ],
      },
    },
  },
  test: {
    mocha: { timeout: 20_000 },
    solidity: {
      isolate: true,
      fsPermissions: { readFile: ['../protocol/vectors/payments.json'] },
      fuzz: { runs: 256, seed: '0x6865786163686f7264' },
      invariant: { runs: 64, depth: 64, failOnRevert: true },
    },
  },
})
