import cluster from 'node:cluster'
import { types } from 'node:util'
import vm from 'node:vm'
import { TestEnvironment } from 'jest-environment-node'

/**
 * Jest runs a test in a realm of its own, while Node's modules throw errors of the outer realm. So
 * `error instanceof Error` would be false for ENOENT in a test and true in production. Here Error, and only
 * Error itself, recognises the errors of every realm.
 *
 * libp2p's lock listens to `cluster`, which is the process's and not the file's, for as long as the process lives: that
 * would keep every module of every file that has ended in memory, and Node warns of the eleventh. What a file has added
 * there goes with it.
 *
 * The realm has a global object as Node's own is. Jest's stands behind a proxy, which is asked for every `Math` and every
 * `Uint8Array` that code names: reckoning takes up to seven times as long there.
 */
export default class Environment extends TestEnvironment {
  constructor(config, context) {
    const { createContext } = vm
    let isOurs = false
    vm.createContext = () => {
      isOurs = true
      return createContext(vm.constants.DONT_CONTEXTIFY)
    }
    try {
      super(config, context)
    } finally {
      vm.createContext = createContext
    }
    if (!isOurs) throw new Error('Jest makes its realm in another way than by createContext')
  }

  async setup() {
    await super.setup()
    this.listenersBefore = new Set(cluster.listeners('message'))
    const InnerError = this.global.Error
    const inherited = Function.prototype[Symbol.hasInstance]
    Object.defineProperty(InnerError, Symbol.hasInstance, {
      value(candidate) {
        if (this === InnerError && types.isNativeError(candidate)) return true
        return inherited.call(this, candidate)
      },
    })
  }

  async teardown() {
    for (const listener of cluster.listeners('message')) {
      if (!this.listenersBefore.has(listener)) cluster.removeListener('message', listener)
    }
    await super.teardown()
  }
}
