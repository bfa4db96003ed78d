/** What one play has at one node, in base units. */
export type PlayFunds = {
  /** What the node has for this play beyond all units that were asked for; negative while some wait. The till counts by
   * track: what was there when the session began is taken for left over, and what came since is this play's own as far as it
   * has signed it, since another play of this purse may pay for the same track. */
  readonly free: bigint
  /** Of that, what the node has yet to be sent. */
  readonly unsent: bigint
  /** Units asked for, ever. */
  readonly asked: number
  /** Ever; so are the others. */
  readonly signed: bigint
  readonly borrowed: bigint
  readonly lost: bigint
  /** What a till says is left. @param isNew in a session that has just begun */
  found(left: { readonly free: bigint; readonly unsent: bigint }, isNew: boolean): void
  /** Others have used so much of the funds. */
  lose(amount: bigint): void
  /** One more unit is asked for. @param unitPrice undefined while there is no session to ask in */
  ask(unitPrice: bigint | undefined): void
  sign(amount: bigint): void
  borrow(amount: bigint): void
  /** What this play uses beyond what it has signed, and has not told yet; negative for what it has signed since. */
  borrowing(unitPrice: bigint, more?: bigint): bigint
}

export function createPlayFunds(): PlayFunds {
  const funds: { -readonly [Name in keyof PlayFunds]: PlayFunds[Name] } = {
    ...{ free: 0n, unsent: 0n, asked: 0, signed: 0n, borrowed: 0n, lost: 0n },
    found({ free, unsent }, isNew) {
      funds.unsent = unsent
      if (isNew) funds.free = free
      else if (free < funds.free) funds.lose(funds.free - free)
    },
    lose(amount) {
      funds.free -= amount
      funds.lost += amount
    },
    ask(unitPrice = 0n) {
      funds.asked += 1
      funds.free -= unitPrice
    },
    sign(amount) {
      funds.signed += amount
      funds.free += amount
      funds.unsent += amount
    },
    borrow(amount) {
      funds.borrowed += amount
    },
    borrowing(unitPrice, more = 0n) {
      const used = unitPrice * BigInt(funds.asked) + more - funds.signed
      return (used > 0n ? used : 0n) - funds.borrowed
    },
  }
  return funds
}
