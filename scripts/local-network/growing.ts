import type { LocalChain } from './chain.ts'
import { createMiner } from './engines/index.ts'
import { foundContentService, type LocalOperator, leaveNetwork } from './founding.ts'
import { chooseContentPorts } from './ports.ts'
import { type Planning, planContentService, type ServicePlan } from './services.ts'

/** Blocks come as quickly as they are needed while operators register. */
export const setupMiningEveryMs = 20

/** Operators that come and go while a network runs. */
export type Growing = {
  /** Registers one more operator, and starts its content service once placement knows it. */
  addContentService(): Promise<LocalOperator>
  /** Has the operator of a content service leave the registry. Its process runs on. */
  retireContentService(name: string): Promise<void>
}

/** @param options.onAdded told of each operator whose service has started */
export function createGrowing(options: {
  planning: Planning
  chain: LocalChain
  start(plan: ServicePlan): Promise<void>
  onAdded(operator: LocalOperator): void
  report(line: string): void
  signal: AbortSignal
}): Growing {
  const { planning, chain, report, signal } = options
  const { layout, hostOf } = planning
  let { ports } = planning

  /** Registrations need blocks, also where a test mines by itself. */
  async function whileMining<T>(action: () => Promise<T>): Promise<T> {
    const miner = createMiner({ rpcUrl: chain.rpcUrl, everyMs: setupMiningEveryMs, report })
    try {
      return await action()
    } finally {
      await miner.close()
    }
  }

  return {
    async addContentService() {
      const { http, libp2p } = await chooseContentPorts(ports)
      const index = ports.content.length
      ports = {
        ...ports,
        content: [...ports.content, http],
        contentLibp2p: [...ports.contentLibp2p, libp2p],
      }
      const operator = await whileMining(() =>
        foundContentService({ layout, chain, signal, index, port: http, hostOf }),
      )
      await options.start(
        planContentService(index, { ...planning, ports, operatorAddress: () => operator.address }),
      )
      options.onAdded(operator)
      return operator
    },
    retireContentService: (name) => whileMining(() => leaveNetwork({ layout, chain, name, signal })),
  }
}
