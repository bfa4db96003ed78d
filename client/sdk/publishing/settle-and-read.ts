import type { SignedAction } from '@hexachord/protocol/actions'
import type { Hash } from '@hexachord/protocol/names'
import type { ActionStatus } from '@hexachord/protocol/rest'
import { type Connection, noAnswer, pause } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import type { PublishProgress } from '../uploading/index.ts'
import { type Payer, settleAction, type WaitOptions } from '../writing/index.ts'

export type SettleAndReadOptions = Pick<WaitOptions, 'signal' | 'until' | 'timeoutMs' | 'onStatus'> & {
  readonly payer?: Payer | undefined
  readonly onSent?: ((hash: Hash) => void) | undefined
  readonly onProgress?: ((progress: PublishProgress) => void) | undefined
}

type Entity = { readonly last: { readonly block: number; readonly digest: Hash } }

/** Of several providers the one that answers may be a few blocks behind the one that answered before. */
const readPauseMs = 300
const maximumReads = 100

/** Sends a signed action, waits until it is judged, and reads what it made: also where a reorganisation takes the
 * action back between the two, or another provider answers.
 * @param read of the entity that the action is about; undefined when there is none
 * @throws ActionRejected, NotRelayed, ApiError */
export async function settleAndRead<T extends Entity>(
  connection: Connection,
  account: Account,
  signed: SignedAction,
  read: () => Promise<T | undefined>,
  options: SettleAndReadOptions,
): Promise<T> {
  const { onProgress, signal } = options
  let told: string | undefined
  const tell = (hash: Hash, status: 'sent' | 'mined' | 'applied' | 'final') => {
    if (status !== told) onProgress?.({ step: 'publishing', hash, status })
    told = status
  }
  const onStatus = (status: ActionStatus) => {
    options.onStatus?.(status)
    if (status.status === 'mined') tell(status.hash, 'mined')
    if (status.status === 'applied') tell(status.hash, status.final ? 'final' : 'applied')
  }
  const onSent = (hash: Hash) => {
    if (told === undefined) options.onSent?.(hash)
    tell(hash, 'sent')
  }
  for (let reads = 0; reads < maximumReads; reads++) {
    const { hash, status } = await settleAction(connection, account, signed, { ...options, onStatus, onSent })
    const entity = await read()
    // Something newer may have been built on it meanwhile.
    if (entity && (entity.last.digest === hash || entity.last.block > (status.block ?? Infinity)))
      return entity
    await pause(readPauseMs, signal)
  }
  throw noAnswer('', 'the action was applied, but no discovery provider shows what it made')
}
