import { types } from 'node:util'
import { TestEnvironment } from 'jest-environment-node'

/**
 * Jest runs a test in a realm of its own, while Node's modules throw errors of the outer realm. So
 * `error instanceof Error` would be false for ENOENT in a test and true in production. Here Error, and only
 * Error itself, recognises the errors of every realm.
 */
export default class Environment extends TestEnvironment {
  async setup() {
    await super.setup()
    const InnerError = this.global.Error
    const inherited = Function.prototype[Symbol.hasInstance]
    Object.defineProperty(InnerError, Symbol.hasInstance, {
      value(candidate) {
        if (this === InnerError && types.isNativeError(candidate)) return true
        return inherited.call(this, candidate)
      },
    })
  }
}
