import type { LocalChain } from './chain.ts'
import { createMiner } from './engines/index.ts'
import { foundContentService, foundCreatorNode, type LocalOperator, leaveNetwork } from './founding.ts'
import { originOf } from './host.ts'
import { chooseNodePorts } from './ports.ts'
import {
  creatorName,
  type Planning,
  planContentService,
  planCreatorNode,
  type ServicePlan,
} from './services.ts'

/** Blocks come as quickly as they are needed while operators register. */
export const setupMiningEveryMs = 20

/** Operators that come and go while a network runs. */
export type Growing = {
  /** Registers one more operator, and starts its content service once placement knows it. */
  addContentService(): Promise<LocalOperator>
  /** Registers the operator of one more creator node, `creator-node-2` and so on, and starts it. */
  addCreatorNode(): Promise<LocalOperator>
  /** Has the operator of a content service leave the registry. Its process runs on. */
  retireContentService(name: string): Promise<void>
}

/** @param options.onAdded told of each operator whose content service has started
 * @param options.onCreatorAdded told of each whose creator node has */
export function createGrowing(options: {
  planning: Planning
  chain: LocalChain
  start(plan: ServicePlan): Promise<void>
  onAdded(operator: LocalOperator): void
  onCreatorAdded(operator: LocalOperator): void
  report(line: string): void
  signal: AbortSignal
}): Growing {
  const { planning, chain, report, signal } = options
  const { layout, hostOf } = planning
  let { ports } = planning
  let creators = 1
  /** Of more creator nodes. */
  const taken: number[] = []

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
      const { http, libp2p } = await chooseNodePorts(ports, taken)
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
    async addCreatorNode() {
      const { http: port, libp2p: libp2pPort } = await chooseNodePorts(ports, taken)
      taken.push(port, libp2pPort)
      creators += 1
      const name = `${creatorName}-${creators}`
      const endpoint = originOf(port, hostOf(name))
      const operator = await whileMining(() => foundCreatorNode({ layout, chain, signal, name, endpoint }))
      const { backends } = planning
      await options.start(
        planCreatorNode(
          { name, port, libp2pPort },
          {
            ...planning,
            // Jobs of one node are none of another's: each has a database of the same Redis.
            backends: { ...backends, redisUrl: new URL(`/${creators}`, backends.redisUrl).href },
            operatorAddress: () => operator.address,
          },
        ),
      )
      options.onCreatorAdded(operator)
      return operator
    },
    retireContentService: (name) => whileMining(() => leaveNetwork({ layout, chain, name, signal })),
  }
}
