import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { ApiError } from '../connect/index.ts'

/** What is missing: `purse` (nothing to pay with was given), `budget` (the listener's own limit), `balance` (the deposit). */
export type PaymentLack = 'purse' | 'budget' | 'balance'

type Details = {
  /** Of what was asked for, in base units of the payment token. */
  readonly price: bigint | undefined
  /** What there is for it: of the budget, or deposited and not reserved; undefined where that is not known. */
  readonly left?: bigint | undefined
  /** What is reserved for the node and not spent, where it is the balance that lacks. */
  readonly reserved?: bigint | undefined
  /** What the node said. */
  readonly reason?: string | undefined
}

type Format = (amount: bigint) => string

const inBaseUnits: Format = (amount) => `${amount} base units`

/** The track costs something, and it was not paid; the message says what to do. */
export class PaymentNeeded extends Error {
  override readonly name = 'PaymentNeeded'
  readonly lack: PaymentLack
  readonly price: bigint | undefined
  readonly left: bigint | undefined
  readonly reserved: bigint | undefined
  readonly reason: string | undefined

  /** @param options.format of amounts in the message */
  constructor(
    lack: PaymentLack,
    details: Details,
    { format = inBaseUnits, ...options }: ErrorOptions & { format?: Format } = {},
  ) {
    super(messageOf(lack, details, format), options)
    this.lack = lack
    this.price = details.price
    this.left = details.left
    this.reserved = details.reserved
    this.reason = details.reason
  }

  /** The same with amounts as people write them. */
  with(format: Format): PaymentNeeded {
    return new PaymentNeeded(this.lack, this, { format, cause: this.cause })
  }
}

function messageOf(lack: PaymentLack, { price, left, reserved, reason }: Details, format: Format): string {
  const amount = (known: bigint | undefined) => (known === undefined ? 'something' : format(known))
  if (lack === 'purse') return 'the track is not free, and there is no purse to pay from'
  if (lack === 'budget') {
    return `the budget does not allow it: ${amount(price)} asked for, ${amount(left)} left; raise it, or wait for the next hour or month`
  }
  const known = [
    `a unit of 6 s costs ${amount(price)}`,
    left === undefined ? '' : `${format(left)} deposited and free`,
    reserved === undefined ? '' : `${format(reserved)} reserved there`,
    reason ? `the node says: ${reason}` : '',
  ]
  return `the deposit does not cover it (${known.filter((text) => text !== '').join('; ')}): deposit more, or release what other nodes hold`
}

/** Whether a node has refused something since it is not paid. */
export function isUnpaid(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 402
  return error instanceof RetrievalFailed && error.faults.some(({ kind }) => kind === 'unpaid')
}
