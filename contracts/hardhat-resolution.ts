import { registerHooks } from 'node:module'

/**
 * Load before Hardhat (`node --import`). `hardhat-zod-utils` names zod 3 only as a peer, so in a tree whose root
 * holds zod 4 it would mix both and fail on every configuration; here it gets the copy that Hardhat itself depends on.
 */
const hardhat = import.meta.resolve('hardhat/package.json')

registerHooks({
  resolve(specifier, context, nextResolve) {
    const misled =
      specifier === 'zod' && context.parentURL?.includes('/@nomicfoundation/hardhat-zod-utils/') === true
    return nextResolve(specifier, misled ? { ...context, parentURL: hardhat } : context)
  },
})
