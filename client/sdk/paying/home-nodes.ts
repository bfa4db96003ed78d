import type { Address } from '@hexachord/protocol/names'
import { listOf, operatorAnswerSchema } from '@hexachord/protocol/rest'
import type { Domain } from '@hexachord/protocol/signing'
import { ApiError, type Connection } from '../connect/index.ts'
import { NodeRefused } from './channel-report.ts'
import { type HomeNode, type Operator, readOffer } from './till.ts'

/** More than anyone needs to choose from, and no more requests than a page may make. */
const mostAsked = 12
/** How long the list of operators is good for. */
const operatorsForMs = 600_000

export type HomeNodes = {
  /** Nodes that take payment, those of `preferred` first, then those that hold money already, the others by how quickly they
   * answer. Asks no further ones when `count` of the preferred serve.
   * @param options.among operators of which the nodes shall be @default all
   * @param options.serves whether one that takes payment is of use; those that are not are found all the same, and do not
   * count @default all of them
   * @param options.holdsMoney nodes at which something is reserved and not spent @default none
   * @param options.isAvoided nodes that come last, and are asked where the others are fewer than `count` @default none
   * @throws ApiError when nobody says which operators there are */
  find(
    preferred: readonly Address[],
    count: number,
    options?: {
      signal?: AbortSignal
      among?: readonly Address[] | undefined
      serves?: (node: HomeNode) => boolean
      holdsMoney?: (node: Address) => boolean
      isAvoided?: (node: Address) => boolean
    },
  ): Promise<HomeNode[]>
  /** Why the others do not. */
  refusals(): readonly string[]
}

/** Finds nodes to pay among the operators of the network. Offers are kept until they expire. */
export function createHomeNodes(
  connection: Pick<Connection, 'discover' | 'http' | 'now'>,
  domain: Domain,
): HomeNodes {
  const known = new Map<Address, HomeNode>()
  const refused = new Map<Address, string>()
  let operators: { readonly list: readonly Operator[]; readonly atMs: number } | undefined

  async function listOperators(signal: AbortSignal | undefined): Promise<readonly Operator[]> {
    if (operators !== undefined && connection.now() - operators.atMs < operatorsForMs) return operators.list
    const path = '/v1/operators?active=true'
    const { items } = await connection.discover(path, listOf(operatorAnswerSchema), signal ? { signal } : {})
    const list = items.filter(({ endpoint }) => /^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
    operators = { list, atMs: connection.now() }
    return list
  }

  async function ask(operator: Operator, signal: AbortSignal | undefined): Promise<HomeNode | undefined> {
    const before = known.get(operator.operator)
    if (before !== undefined && before.offer.expiresAt > connection.now()) return before
    known.delete(operator.operator)
    try {
      const node = await readOffer(connection.http, operator, { domain, now: connection.now, signal })
      known.set(operator.operator, node)
      refused.delete(operator.operator)
      return node
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof NodeRefused)) throw error
      refused.set(operator.operator, error.message)
      return undefined
    }
  }

  async function askAll(some: readonly Operator[], signal: AbortSignal | undefined): Promise<HomeNode[]> {
    const answers = await Promise.all(some.map((operator) => ask(operator, signal)))
    return answers.filter((answer) => answer !== undefined)
  }

  return {
    async find(preferred, count, options = {}) {
      const { signal, among, serves = () => true } = options
      const { holdsMoney = () => false, isAvoided = () => false } = options
      const listed = await listOperators(signal)
      const all = among === undefined ? listed : listed.filter(({ operator }) => among.includes(operator))
      const before = preferred
        .filter((address) => !isAvoided(address))
        .flatMap((address) => all.find(({ operator }) => operator === address) ?? [])
      const homes = await askAll(before, signal)
      const isEnough = () => homes.filter(serves).length >= count
      if (isEnough()) return homes
      const others = shuffled(all.filter((one) => !before.includes(one))).sort(
        (one, other) => Number(holdsMoney(other.operator)) - Number(holdsMoney(one.operator)),
      )
      for (const areAvoided of [false, true]) {
        if (isEnough()) break
        const some = others.filter(({ operator }) => isAvoided(operator) === areAvoided).slice(0, mostAsked)
        const found = await askAll(some, signal)
        const rankOf = (node: HomeNode) => (holdsMoney(node.operator) ? -1 : quicknessOf(node))
        homes.push(...found.sort((one, other) => rankOf(one) - rankOf(other)))
      }
      return homes
    },
    refusals: () => [...refused.values()],
  }
}

/** By doubling of the time: a millisecond more or less decides nothing, and listeners are spread. */
function quicknessOf({ latencyMs }: HomeNode): number {
  return Math.round(Math.log2(Math.max(1, latencyMs / 25)))
}

function shuffled<Value>(values: readonly Value[]): Value[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ value }) => value)
}
