import { ApiError } from '../connect/index.ts'
import { ActionRejected } from '../writing/index.ts'

/** The network does not take the receipts of an upload any more: an operator that signed one has left, or its turn is
 * over. The upload's node asks others; it is ready again when they have the track. */
export class ReceiptsOutdated extends Error {
  override readonly name = 'ReceiptsOutdated'

  constructor(cause: Error) {
    super(
      `${cause.message}: an operator that holds the track does not count any more; upload it again, and the node asks others: nothing is sent or made anew`,
      { cause },
    )
  }
}

const problems = ['invalid-receipt', 'missing-receipts'].map((slug) => `urn:hexachord:problem:${slug}`)

/** What a refusal of an action says about its receipts. @returns undefined when it says something else */
export function receiptsOutdated(error: unknown): ReceiptsOutdated | undefined {
  const isTheirs =
    (error instanceof ApiError && problems.includes(error.problem ?? '')) ||
    (error instanceof ActionRejected &&
      ['invalidReceipt', 'missingReceipts'].includes(error.status.verdict ?? ''))
  return isTheirs ? new ReceiptsOutdated(error) : undefined
}
