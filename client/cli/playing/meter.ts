import { formatAmount, type Spending, type Token } from '@hexachord/sdk/paying'

/** What a play has cost: what `--json` prints of it, amounts in base units as decimal strings. */
export type Paid = {
  readonly token: Token
  readonly total: string
  readonly tracks: Record<string, string>
  readonly artists: Record<string, string>
  readonly nodes: Record<string, string>
}

export type Meter = {
  note(spending: Spending): void
  /** Undefined while nothing was paid. */
  paid(): Paid | undefined
  /** One line for people. */
  text(): string
}

/** Adds up what is paid while it is heard: by track, artist and node. */
export function createMeter(token: Token): Meter {
  const [tracks, artists, nodes] = [
    new Map<string, bigint>(),
    new Map<string, bigint>(),
    new Map<string, bigint>(),
  ]
  let last: Spending | undefined
  const add = (sums: Map<string, bigint>, name: string, amount: bigint) =>
    sums.set(name, (sums.get(name) ?? 0n) + amount)
  const inText = (sums: ReadonlyMap<string, bigint>) =>
    Object.fromEntries(Array.from(sums, ([name, amount]) => [name, amount.toString()]))
  return {
    note(spending) {
      last = spending
      add(tracks, spending.track, spending.amount)
      add(artists, spending.artist, spending.amount)
      add(nodes, spending.node, spending.amount)
    },
    paid() {
      if (last === undefined) return undefined
      const sums = { tracks: inText(tracks), artists: inText(artists), nodes: inText(nodes) }
      return { token, total: last.total.toString(), ...sums }
    },
    text() {
      if (last === undefined) return 'nothing paid'
      const shares = Array.from(
        nodes,
        ([node, amount]) => `${formatAmount(amount, token)} at ${shortened(node)}`,
      )
      const left = last.left === null ? '' : `, ${formatAmount(last.left, token)} of the budget left`
      return `paid ${formatAmount(last.total, token)}${left} (${shares.join(', ')})`
    },
  }
}

/** A line of a terminal has no room for a whole one. */
function shortened(node: string): string {
  return `${node.slice(0, 6)}…${node.slice(-4)}`
}
