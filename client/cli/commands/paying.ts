import type { HeldKey } from '@hexachord/sdk/keys'
import { type Payer, rpcPayer } from '@hexachord/sdk/writing'
import type { Command } from 'commander'
import { UsageError } from '../settings/index.ts'

export type PayingOptions = { rpc?: string | undefined; pay?: true | undefined }

/** Options of commands that write to the chain. */
export function addPayingOptions(command: Command): Command {
  return command
    .option('--pay', 'where no creator node pays for the chain, pay with the key of this client; needs --rpc')
    .option('--rpc <url>', 'JSON-RPC of a node of the chain')
}

/** @throws UsageError */
export function payerFrom({ rpc, pay }: PayingOptions): ((key: HeldKey) => Payer) | undefined {
  if (!pay) return undefined
  const url = URL.parse(rpc ?? '')
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('--pay needs --rpc with the URL of a node of the chain, such as https://rpc.example')
  }
  return (key) => rpcPayer(key, url.href)
}
