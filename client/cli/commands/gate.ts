import { checked } from '@hexachord/protocol/checked'
import type { Subject } from '@hexachord/protocol/names'
import { type Gate, gateSchema } from '@hexachord/protocol/premium'
import type { Connection } from '@hexachord/sdk/connect'
import type { HeldKey } from '@hexachord/sdk/keys'
import {
  type Given,
  giveSecret,
  keyHoldersOf,
  readGates,
  setGate,
  type ToldGate,
} from '@hexachord/sdk/premium'
import { NotPremium } from '@hexachord/sdk/uploading'
import { type Command, Option } from 'commander'
import { keyStore, UsageError } from '../settings/index.ts'
import { askPassword } from '../terminal/index.ts'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'

type Options = {
  follower?: true
  holder?: string
  standard: 'erc20' | 'erc721' | 'erc1155'
  least: string
  tokenId?: string
  none?: true
}

export function addGateCommand(program: Command, context: Context): void {
  program
    .command('gate')
    .description('who may hear a premium track of yours, beside its price; without an option: what is set')
    .argument('<track>', 'its id, or a link to it')
    .option('--follower', 'whoever follows you')
    .option('--holder <contract>', 'whoever holds enough of a token')
    .addOption(
      new Option('--standard <name>', 'of the token')
        .choices(['erc20', 'erc721', 'erc1155'])
        .default('erc20'),
    )
    .option('--least <amount>', 'how much of it, in its base units', '1')
    .option('--token-id <id>', 'which of its tokens, for erc1155')
    .option('--none', 'whoever pays')
    .action((text: string, options: Options, self: Command) =>
      gate(subjectIn(text, 'track'), options, self, context),
    )
}

async function gate(track: Subject, options: Options, self: Command, context: Context): Promise<void> {
  const wanted = gateFrom(options)
  const { signal } = context
  const { connection, settings } = await openConnection(self, context)
  const keyHolders = await keyHoldersOf(connection, track, { signal }).catch((cause: unknown) => {
    throw cause instanceof NotPremium ? new UsageError(cause.message) : cause
  })
  if (wanted !== undefined) {
    const key = await keyStore(settings.directory).openAuthor(() => askPassword(context, 'Password: '))
    const { given, refused } = await putGate(connection, key, track, wanted, signal)
    if (given.length === 0) {
      throw new Error(`no key holder has taken the gate of ${track}: ${refused[0]?.reason}`)
    }
    for (const { operator, reason } of refused) {
      const later = 'it learns of it from the others, within a minute once it is back'
      process.stderr.write(`hexachord: ${operator} has not taken the gate (${reason}): ${later}\n`)
    }
  }
  const gates = await readGates(connection, track, { keyHolders, signal })
  print(self, { track, gates }, describeGates(gates))
}

/** Where nobody has the secret it goes with the gate. */
async function putGate(
  connection: Connection,
  key: HeldKey,
  track: Subject,
  wanted: Gate | null,
  signal: AbortSignal,
): Promise<Given> {
  const told = await setGate(connection, key, track, { gate: wanted, signal })
  const lacks = told.given.length === 0 && told.refused.some(({ lacksSecret }) => lacksSecret)
  return lacks ? giveSecret(connection, key, track, { gate: wanted, signal }) : told
}

/** The gate of a premium track that is about to be replaced. @throws Error when no key holder says, NotPremium, ApiError */
export async function gateOf(
  connection: Connection,
  track: Subject,
  signal: AbortSignal,
): Promise<Gate | null> {
  const keyHolders = await keyHoldersOf(connection, track, { signal }).catch((cause: unknown) => {
    if (!(cause instanceof NotPremium)) throw cause
    throw new NotPremium(
      `${track} is free, and what was free stays so: leave out --replace, so that the file is a track of its own`,
      { cause },
    )
  })
  const told = await readGates(connection, track, { keyHolders, signal })
  const [newest] = told
    .toSorted((a, b) => (b.atMs ?? 0) - (a.atMs ?? 0))
    .filter(({ gate }) => gate !== undefined)
  if (newest?.gate !== undefined) return newest.gate
  throw new Error(
    `no key holder says who may hear ${track} now (${told[0]?.reason}): say it anew by 'hexachord gate'`,
  )
}

/** @throws UsageError */
function gateFrom({ follower, holder, standard, least, tokenId, none }: Options): Gate | null | undefined {
  if ([follower, holder, none].filter((option) => option !== undefined).length > 1) {
    throw new UsageError('a track has one gate: --follower, --holder or --none')
  }
  if (none) return null
  if (follower) return { kind: 'follower' }
  if (holder === undefined) return undefined
  if ((tokenId === undefined) === (standard === 'erc1155')) {
    throw new UsageError('--token-id is for --standard erc1155, which needs it')
  }
  const id = tokenId === undefined ? {} : { id: tokenId }
  const parsed = checked(gateSchema, {
    kind: 'holder',
    standard,
    contract: holder.toLowerCase(),
    least,
    ...id,
  })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new UsageError(`the gate is wrong: ${issue?.path.join('.')} ${issue?.message}`)
}

/** What each key holder goes by, a line each. */
export function describeGates(gates: readonly ToldGate[]): string {
  const newest = Math.max(0, ...gates.map(({ atMs }) => atMs ?? 0))
  const lines = gates.map(({ operator, gate: told, atMs, reason }) => {
    if (told === undefined) return `${operator}  does not say: ${reason}`
    const since = atMs === undefined ? '' : `, since ${new Date(atMs).toISOString()}`
    const isOld = (atMs ?? 0) < newest
    return `${operator}  ${describe(told)}${since}${isOld ? '; has not learnt of the newest yet' : ''}`
  })
  return lines.join('\n')
}

function describe(gate: Gate | null): string {
  if (gate === null) return 'whoever pays'
  if (gate.kind === 'follower') return 'followers'
  const which = gate.id === undefined ? '' : ` #${gate.id}`
  return `holders of ${gate.least} of ${gate.contract}${which} (${gate.standard})`
}
