import { parsed } from '@hexachord/protocol/checked'
import type { PaymentsNetwork } from '@hexachord/protocol/payments'
import { type DiscoveryStatus, discoveryStatusSchema, paymentContractsSchema } from '@hexachord/protocol/rest'
import { type Domain, domainOf } from '@hexachord/protocol/signing'
import type * as z from 'zod'
import { ApiError, type Http, readJson } from './http.ts'
import { listCreators } from './list-creators.ts'
import { isPassing } from './retry.ts'

/** Blocks by which a provider may trail the best one before it is left aside. */
const toleratedLagBlocks = 20

export type ConnectOptions = {
  /** Origins of discovery providers; one is enough, two or more are checked against each other. */
  readonly discovery: readonly string[]
  /** Origins of creator nodes: where to upload, and the last resort for playing; others are not used. `find` takes
   * those on the chain. @default none */
  readonly creators?: readonly string[] | 'find'
  /** Origins of public IPFS gateways, asked after everybody else. @default none */
  readonly gateways?: readonly string[]
  /** Refuse any other network than this one: chain id, Catalog and, where it names them, the contracts of payments.
   * Whoever deposits money should name them, or ask several providers: one alone could name an escrow of its own. */
  readonly network?: {
    readonly chainId: number
    readonly contracts: { readonly catalog: string }
    readonly payments?: PaymentContracts['payments'] | undefined
  }
  /** @default globalThis.fetch */
  readonly http?: Http
  readonly now?: () => number
  readonly signal?: AbortSignal
}

/** Where a network's payments are, with the token that is paid with. */
export type PaymentContracts = PaymentsNetwork & { readonly payments: { readonly token: string } }

export type Provider = { readonly origin: string; readonly status: DiscoveryStatus }

/** What a client knows of the network, and how it asks. */
export type Connection = {
  readonly domain: Domain
  /** Where listeners pay; undefined where all music is free. */
  readonly payments?: PaymentContracts | undefined
  /** Providers that answer, agree and keep up, best first. */
  readonly providers: readonly Provider[]
  /** Providers that were left aside, and why. */
  readonly dropped: readonly { readonly origin: string; readonly reason: string }[]
  readonly creators: readonly string[]
  readonly gateways: readonly string[]
  readonly http: Http
  readonly now: () => number
  /** Asks the providers in order; the next one when one does not answer, which is asked last from then on. A 404
   * or another answer about the question itself is final. @throws ApiError */
  discover<T>(path: string, schema: z.ZodType<T>, options?: { signal?: AbortSignal }): Promise<T>
}

/** No discovery provider can be used; says what is wrong with each. */
export class NoProvider extends Error {
  override readonly name = 'NoProvider'
}

/** Meets the network through its discovery providers. One that is away, on another chain, far behind, or
 * whose state hash differs from the others' at the same block is left aside; where two halves differ, the half
 * with the provider that was named first stays.
 * @throws NoProvider when none is left, TypeError for an origin that is no URL */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const http = options.http ?? globalThis.fetch.bind(globalThis)
  const dropped: { origin: string; reason: string }[] = []
  const answers = await Promise.all(
    originsOf(options.discovery).map(async (origin): Promise<Provider | undefined> => {
      try {
        const init = options.signal ? { signal: options.signal } : {}
        const status = await readJson(http, `${origin}/status`, discoveryStatusSchema, init)
        return { origin, status }
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        dropped.push({ origin, reason: error.message })
        return undefined
      }
    }),
  )
  const providers = choose(
    answers.filter((answer) => answer !== undefined),
    options.network,
    dropped,
  )
  const [best] = providers
  const order = [...providers]
  if (best === undefined) {
    const reasons = dropped.map(({ origin, reason }) =>
      reason.startsWith(origin) ? reason : `${origin} ${reason}`,
    )
    throw new NoProvider(`no discovery provider can be used: ${reasons.join('; ') || 'none was given'}`)
  }
  const { chainId, catalog, payments } = best.status
  const connection = {
    domain: domainOf({ chainId, contracts: { catalog } }),
    payments: payments ? { chainId, payments } : undefined,
    providers,
    dropped,
    gateways: originsOf(options.gateways ?? []),
    http,
    now: options.now ?? Date.now,
    discover: <T>(path: string, schema: z.ZodType<T>, init: { signal?: AbortSignal } = {}) =>
      discover(http, order, path, schema, init),
  }
  const { creators = [], signal } = options
  return {
    ...connection,
    creators: creators === 'find' ? await listCreators(connection, { signal }) : originsOf(creators),
  }
}

/** Signed words name a node by its origin, so that `http://node:80/` must become `http://node`. */
function originsOf(urls: readonly string[]): string[] {
  return [...new Set(urls.map((url) => new URL(url).origin))]
}

async function discover<T>(
  http: Http,
  order: Provider[],
  path: string,
  schema: z.ZodType<T>,
  init: { signal?: AbortSignal },
): Promise<T> {
  let last: ApiError | undefined
  for (const provider of [...order]) {
    try {
      return await readJson(http, provider.origin + path, schema, init)
    } catch (error) {
      if (!(error instanceof ApiError) || !isPassing(error)) throw error
      last = error
      const place = order.indexOf(provider)
      if (place >= 0) order.push(...order.splice(place, 1))
    }
  }
  throw last ?? new NoProvider('no discovery provider is known')
}

function choose(
  answers: readonly Provider[],
  network: ConnectOptions['network'],
  dropped: { origin: string; reason: string }[],
): Provider[] {
  const networkOf = ({ status }: Provider) => `${status.chainId} ${status.catalog.toLowerCase()}`
  const wanted = network
    ? `${network.chainId} ${network.contracts.catalog.toLowerCase()}`
    : mostCommon(answers.map(networkOf))
  const sameCatalog = keep(answers, dropped, 'is on another network', (one) => networkOf(one) === wanted)
  const moneyOf = (payments: DiscoveryStatus['payments']) =>
    payments ? Object.values(payments).join(' ').toLowerCase() : ''
  const money = network?.payments
    ? moneyOf(parsed(paymentContractsSchema, network.payments))
    : mostCommon(sameCatalog.map(({ status }) => moneyOf(status.payments)))
  const onNetwork = keep(
    sameCatalog,
    dropped,
    'names other contracts of payments',
    ({ status }) => moneyOf(status.payments) === money,
  )
  const head = Math.max(0, ...onNetwork.map(({ status }) => status.indexed))
  const upToDate = keep(
    onNetwork,
    dropped,
    `is more than ${toleratedLagBlocks} blocks behind`,
    ({ status }) => status.indexed >= head - toleratedLagBlocks,
  )
  const hashes = new Map<number, string[]>()
  for (const { status } of upToDate) {
    hashes.set(status.stateHashBlock, [...(hashes.get(status.stateHashBlock) ?? []), status.stateHash])
  }
  const agreeing = keep(upToDate, dropped, 'has another state than the others', ({ status }) => {
    return mostCommon(hashes.get(status.stateHashBlock) ?? []) === status.stateHash
  })
  return agreeing.toSorted((a, b) => b.status.indexed - a.status.indexed)
}

function keep(
  providers: readonly Provider[],
  dropped: { origin: string; reason: string }[],
  reason: string,
  fits: (provider: Provider) => boolean,
): Provider[] {
  return providers.filter((provider) => {
    if (fits(provider)) return true
    dropped.push({ origin: provider.origin, reason })
    return false
  })
}

/** The first of the most frequent values. */
function mostCommon(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].reduce<[string, number] | undefined>(
    (best, entry) => (best === undefined || entry[1] > best[1] ? entry : best),
    undefined,
  )?.[0]
}
