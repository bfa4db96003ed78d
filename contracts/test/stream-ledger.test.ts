import { type Address, type Hash, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import {
  type Claim,
  type Ledger,
  type Line,
  type Operation,
  packLines,
  type Terms,
} from '@hexachord/protocol/payments'
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { chain, releaseSeconds } from './support/local-network.ts'
import { type People, paidNetwork, Twins } from './support/payments.ts'

const { loadFixture, takeSnapshot, time } = chain.networkHelpers
const week = 7 * 24 * 3600
const trackNumbers = [1n, 2n, 3n]
const nobody: Address = `0x${'00'.repeat(20)}`

describe('the ledger and the contracts', () => {
  it('agree after any history, and refuse the same for the same reason', async () => {
    const network = await loadFixture(paidNetwork)
    const untouched = await takeSnapshot()
    const reasons = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { minLength: 30, maxLength: 60 }), async (plans) => {
        await untouched.restore()
        const twins = new Twins(network)
        let now = await time.latest()
        for (const { afterSeconds, ...step } of [...beginning, ...plans]) {
          now += afterSeconds
          const operation = operationOf(step, network.people, twins.ledger, now)
          const { byContracts, byLedger } = await twins.take(operation, afterSeconds)
          expect(byContracts ?? 'accepted').to.equal(byLedger ?? 'accepted', operation.do)
          const reason = `${nameOf(operation)}: ${byLedger ?? 'accepted'}`
          reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
        }
        const { contracts, ledger } = await twins.compare(tracksOf(network.people))
        expect(contracts).to.deep.equal(ledger)
      }),
      { numRuns: 20, seed: 20_261_129 },
    )
    // Histories in which nothing succeeds would agree as well.
    for (const outcome of [...kinds.map((kind) => `${kind}: accepted`), ...rare]) {
      expect(reasons.get(outcome) ?? 0, outcome).to.be.greaterThan(0)
    }
  }).timeout(60_000)
})

/** An operation as indices and numbers, which become accounts and amounts when its turn has come. */
type Plan = {
  kind: Operation['do']
  who: number
  other: number
  third: number
  amount: bigint
  lines: PlannedLine[]
  skew: bigint
  /** What else is redeemed with the lines: `other` says by which key of the same payer or of the next one. */
  more: readonly { other: number; lines: PlannedLine[]; skew: bigint }[]
  /** When a session ends, in seconds from now; undefined for never. */
  lifeSeconds: number | undefined
}
type PlannedLine = { track: number; curated: boolean; amount: bigint }

const kinds = [
  ...(['deposit', 'withdraw', 'authorizeSession', 'revokeSession', 'reserve', 'initiateRelease'] as const),
  ...(['finalizeRelease', 'redeem', 'distribute', 'setTerms', 'cancelChange', 'offerTrack'] as const),
  ...(['acceptTrack', 'payTrack'] as const),
]
const rare = [
  ...['redeem many', 'redeem two of one'].flatMap((what) => [
    `${what}: accepted`,
    `${what}: StreamReserveExceeded`,
  ]),
  'redeem two of one: StreamVoucherStale',
  'reserve: StreamSessionExpired',
]
const frequent = [
  ...Array(6).fill('redeem'),
  ...Array(4).fill('reserve'),
  ...Array(2).fill('distribute'),
  ...Array(2).fill('initiateRelease'),
  ...Array(2).fill('finalizeRelease'),
  ...(['setTerms', 'cancelChange'] as const),
] as const
const lines = fc.array(
  fc.record({ track: fc.nat(2), curated: fc.boolean(), amount: fc.bigInt({ min: 0n, max: 900n }) }),
  { minLength: 1, maxLength: 4 },
)
const skew = fc.constantFrom(0n, 0n, 0n, 0n, 0n, 0n, 1n, -1n)
const plan: fc.Arbitrary<Plan & { afterSeconds: number }> = fc.record({
  kind: fc.constantFrom(...kinds, ...frequent),
  who: fc.nat(5),
  other: fc.nat(5),
  third: fc.nat(5),
  amount: fc.oneof(fc.bigInt({ min: 0n, max: 3_000n }), fc.bigInt({ min: 0n, max: 60_000n })),
  lines,
  skew,
  more: fc.oneof(
    fc.constant([] as const),
    fc.array(fc.record({ other: fc.nat(5), lines, skew: fc.constantFrom(0n, 0n, 1n, -1n) }), {
      ...{ minLength: 1, maxLength: 2 },
    }),
  ),
  lifeSeconds: fc.constantFrom(undefined, undefined, 30, 2 * releaseSeconds, 2 * week),
  afterSeconds: fc.constantFrom(1, 1, 1, 60, releaseSeconds, week),
})

/** So that there is something to fight over. */
const blank = {
  ...{ other: 0, third: 0, amount: 100_000n, lines: [], skew: 0n, more: [], afterSeconds: 1 },
  lifeSeconds: undefined,
}
const beginning: (Plan & { afterSeconds: number })[] = [
  { ...blank, kind: 'deposit', who: 0 },
  { ...blank, kind: 'deposit', who: 1 },
  { ...blank, kind: 'authorizeSession', who: 0, amount: 40_000n, lifeSeconds: 2 * week },
  { ...blank, kind: 'setTerms', who: 0 },
  { ...blank, kind: 'setTerms', who: 0, third: 1 },
  { ...blank, kind: 'reserve', who: 0, amount: 20_000n },
  { ...blank, kind: 'reserve', who: 0, other: 2, amount: 20_000n },
]

/** An operation, and of redemptions whether several vouchers are in one, and two of one channel. */
function nameOf(operation: Operation): string {
  if (operation.do !== 'redeem' || operation.claims.length === 1) return operation.do
  const channels = operation.claims.map(({ payer, signer }) => payer + signer)
  return new Set(channels).size < channels.length ? 'redeem two of one' : 'redeem many'
}

/** @param now the time of its block, or a little before: what was refused takes time, too */
function operationOf(plan: Plan, people: People, ledger: Ledger, now: number): Operation {
  const { kind, who, other, third, amount, skew, lifeSeconds } = plan
  const payer = at(people.payers, who)
  // Mostly its own key, sometimes a session key, now and then one that nobody has authorized.
  const key = other % 3 === 2 ? at(people.sessionKeys, who + Number(other === 5)) : payer
  const node = at(people.nodes, third)
  const track = at(tracksOf(people), third)
  const caller = at([people.artist, people.artist, people.curator], who)
  const channel = ledger.channels.get(`${payer} ${key} ${node}`)
  switch (kind) {
    case 'deposit':
      return { do: kind, account: payer, amount }
    case 'withdraw':
      return {
        do: kind,
        caller: at([payer, payer, node, people.artist, people.curator], other),
        amount: amount / 20n,
      }
    case 'authorizeSession':
      return {
        ...{ do: kind, signer: payer, key: at(people.sessionKeys, who), cap: amount },
        expiry: lifeSeconds === undefined ? 4_000_000_000 : now + lifeSeconds,
      }
    case 'revokeSession':
      // Rarely one of those in use: it stays revoked.
      return { do: kind, caller: payer, key: other === 5 ? at(people.sessionKeys, who) : node }
    case 'reserve':
      return {
        do: kind,
        payer,
        signer: key,
        node,
        total: notNegative((channel?.reserved ?? 0n) + amount + skew * 9_000n),
      }
    case 'initiateRelease':
      return { do: kind, caller: payer, key, node, amount }
    case 'finalizeRelease':
      return { do: kind, caller: payer, key, node }
    case 'redeem':
      return { do: kind, node, claims: claimsOf(plan, people, ledger, node) }
    case 'payTrack': {
      const curator = other % 2 === 0 ? people.curator : nobody
      return { do: kind, track, node: other === 5 ? nobody : node, curator, amount }
    }
    case 'distribute':
      return { do: kind, track, version: 1 + (other % 3) }
    case 'setTerms':
      return { do: kind, signer: caller, track, terms: termsOf(Number(amount), other, people) }
    case 'cancelChange':
      return { do: kind, caller, track }
    case 'offerTrack':
      return { do: kind, caller, track, to: people.curator }
    case 'acceptTrack':
      return { do: kind, caller: other % 2 === 0 ? people.curator : caller, track }
  }
}

/** Vouchers in their order: one goes on where the one before it of its channel ends. */
function claimsOf({ who, ...first }: Plan, people: People, ledger: Ledger, node: Address): Claim[] {
  const ends = new Map<string, bigint>()
  return [first, ...first.more].map(({ other, lines, skew }, place) => {
    const payer = at(people.payers, who + Number(place > 0 && other > 3))
    const signer = other % 3 === 2 ? at(people.sessionKeys, who + Number(other === 5)) : payer
    const channel = `${payer} ${signer} ${node}`
    const settled = ends.get(channel) ?? ledger.channels.get(channel)?.settled ?? 0n
    const base = notNegative(settled + (other === 4 ? skew : 0n))
    const sum = lines.reduce((total, line) => total + line.amount, 0n)
    const cumulative = notNegative(base + sum + (other === 1 ? skew : 0n))
    ends.set(channel, cumulative)
    return { payer, signer, base, cumulative, lines: packLines(lines.map((line) => lineOf(line, people))) }
  })
}

function lineOf(line: Plan['lines'][number], people: People): Line {
  const curator: Address = line.curated ? people.curator : `0x${'00'.repeat(20)}`
  return { track: at(tracksOf(people), line.track), curator, amount: line.amount }
}

function termsOf(number: number, other: number, { artist, curator, nodes }: People): Terms {
  const share = 1 + (number % 9_998)
  return {
    unitPrice: BigInt(number),
    nodeBps: 490 + (number % 3_500),
    curatorBps: number % 505,
    payees: other === 5 ? [artist] : [artist, curator, at(nodes, other)].slice(0, 2),
    payeeBps: other === 5 ? [10_000] : [share, 10_000 - share],
  }
}

function tracksOf({ artist }: People): Hash[] {
  return trackNumbers.map((number) => subjectToBytes32(subjectOf(artist, number)))
}

function notNegative(amount: bigint): bigint {
  return amount < 0n ? 0n : amount
}

function at<Value>(values: readonly Value[], index: number): Value {
  const value = values[index % values.length]
  if (value === undefined) throw new Error('there are none')
  return value
}
