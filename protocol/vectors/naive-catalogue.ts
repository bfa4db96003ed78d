import { recoverAddress } from 'ethers'
import { digestInCid, fromHex, keccak, sha256, toHex, uint, word } from './by-hand.ts'
import { type NaiveOperator, rankNaively } from './naive-placement.ts'
import {
  isRegister,
  judgeComment,
  judgeRegister,
  mayDelegate,
  refusalOfOrigins,
  type SocialContent,
} from './naive-social.ts'

// The rules once more, in the plainest way: one log after the other over a map. Nothing is taken from the code
// that judges actions; this is what a reader of the documentation would write in an afternoon.

export type NaiveLog = { logIndex: number; address: string; topics: readonly string[]; data: string }
export type NaiveBlock = { number: number; hash: string; timestamp: number; logs: readonly NaiveLog[] }
export type NaiveNetwork = {
  chainId: number
  finalityBlocks: number
  epochBlocks: number
  bytesPerToken: string
  minimumStakeWei: string
  rulesVersions?: { fromBlock: number; version: number }[]
  contracts: { catalog: string }
}
type Receipt = { operator: string; blockNumber: number; validUntil: number; signature: string }
type Audio = { manifest: string; storageRoot: string; leafCount: number; byteLength: number }
/** All that the content of an action may say which a rule looks at. */
type Content = Partial<Audio> &
  SocialContent & {
    prev?: string | null
    handle?: string
    controller?: string
    recovery?: string | null
    title?: string
    remove?: string[]
    add?: { track: string; at?: number }[]
    move?: { track: string; to: number }[]
    cover?: string | null
    sealed?: unknown
    track?: string
    durationMs?: number
    receipts?: Receipt[]
  }
type Body = Partial<Audio> & {
  handle?: string
  title?: string
  tracks?: string[]
  track?: string
  durationMs?: number
  operators?: string[] | undefined
  replyTo?: string | undefined
  root?: string | undefined
  sealed?: unknown
}
type Entity = { kind: string; digest: string; createdAtMs: number; deleted: boolean; body: Body }
type Identity = {
  controller: string
  recovery: string | null
  pending: { controller: string; atMs: number } | null
  sinceMs?: number
}
/** What version 1 did not know in contents of these kinds. */
const later = new Map([
  [1, ['sealingKey']],
  [2, ['releaseAtMs', 'remixOf', 'stemOf', 'credits']],
  [3, ['cover', 'move', 'sealed']],
])
type Change = { key: string; value: unknown }
type Judged = { digest: string; verdict: string; changes: Change[] }
type Action = ReturnType<typeof actionOf>

export function naiveCatalogue(network: NaiveNetwork, verdictCodes: Record<string, number>) {
  const state = new Map<string, unknown>()
  /** Operators after each block that changed them. */
  const operatorsAfter = new Map<number, Map<string, NaiveOperator>>([[0, new Map()]])
  let stateHash = `0x${'00'.repeat(32)}`

  function operatorsAt(block: number): Map<string, NaiveOperator> {
    const last = Math.max(...[...operatorsAfter.keys()].filter((number) => number <= block))
    return operatorsAfter.get(last) ?? new Map()
  }

  function versionAt(block: number): number {
    const { rulesVersions = [{ fromBlock: 0, version: 1 }] } = network
    return rulesVersions.filter(({ fromBlock }) => fromBlock <= block).at(-1)?.version ?? 1
  }

  function addBlock(block: NaiveBlock): { stateHash: string; logs: Judged[] } {
    const logs = block.logs.map((log): Judged => {
      if (log.address === network.contracts.catalog) return judge(actionOf(log), block)
      noteOperator(log, block.number)
      return {
        digest: toHex(sha256(...[log.address, ...log.topics, log.data].map(fromHex))),
        verdict: 'applied',
        changes: [],
      }
    })
    const parts = logs.flatMap(({ digest, verdict, changes }, index) => [
      uint(block.logs[index]?.logIndex ?? 0, 4),
      fromHex(digest),
      uint(verdictCodes[verdict] ?? 0, 2),
      sha256(Buffer.from(canonical(changes))),
    ])
    const head = [
      fromHex(stateHash),
      uint(versionAt(block.number), 4),
      uint(block.number, 8),
      fromHex(block.hash),
    ]
    stateHash = toHex(sha256(...head, ...parts))
    return { stateHash, logs }
  }

  function noteOperator({ topics, data }: NaiveLog, block: number): void {
    const operators = new Map(structuredClone(operatorsAt(block)))
    const [event, operator = '', staker = ''] = topics.map((topic, index) =>
      index === 0 ? topic : addressIn(topic),
    )
    const known = operators.get(operator)
    if (event === topicOf('OperatorRegistered(address,address,string,bytes,address,uint64)')) {
      const stakes = known?.stakes ?? new Map()
      operators.set(operator, { operator, controller: staker, exiting: false, stakes, ...described(data) })
    } else if (event === topicOf('OperatorUpdated(address,string,bytes,address,uint64)')) {
      if (known) Object.assign(known, described(data))
    } else if (event === topicOf('OperatorExitRequested(address)')) {
      if (known) known.exiting = true
    } else if (event === topicOf('OperatorExitCancelled(address)')) {
      if (known) known.exiting = false
    } else {
      // Staked and Unbonding: the total is the second word of both.
      known?.stakes.set(staker, BigInt(wordsOf(data)[1] ?? '0x0'))
    }
    operatorsAfter.set(block, operators)
  }

  function identityOf(author: string, atMs: number): Identity {
    const stored = state.get(`identity/${author}`) as Identity | undefined
    if (stored === undefined) return { controller: author, recovery: null, pending: null }
    const { pending } = stored
    return pending && pending.atMs <= atMs
      ? { ...stored, controller: pending.controller, pending: null, sinceMs: pending.atMs }
      : stored
  }

  function judge(action: Action, block: NaiveBlock): Judged {
    const result = verdictOn(action, block)
    const [verdict, changes] = typeof result === 'string' ? [result, []] : ['applied', result]
    for (const { key, value } of changes) state.set(key, value)
    return { digest: action.hash, verdict, changes }
  }

  function verdictOn(action: Action, block: NaiveBlock): string | Judged['changes'] {
    const { kind, author, signer, subject, number, bytes } = action
    const atMs = block.timestamp * 1000
    const version = versionAt(block.number)
    if (kind < 1 || kind > (version === 1 ? 6 : 15)) return 'unknownKind'
    if (!subject.startsWith(author)) return 'wrongSubject'
    const identity = identityOf(author, atMs)
    const byController = signer === identity.controller
    const byRecovery = kind === 4 && signer === identity.recovery
    const { controller, sinceMs = 0 } = identity
    const byDelegate = version > 1 && mayDelegate(state, action, atMs, { controller, sinceMs })
    if (!byController && !byRecovery && !byDelegate) return 'notAuthorised'

    const content = parse(bytes)
    if (content === undefined) return 'malformed'
    if (content.handle !== undefined && !/^[a-z0-9_]{1,30}$/.test(content.handle)) return 'malformed'
    if (kind === 5 && content.prev === null) return 'malformed'
    if (version === 1 && later.get(kind)?.some((field) => field in content)) return 'malformed'
    const before = state.get(`subject/${subject}`) as Entity | undefined
    const place = { atMs, block: block.number, logIndex: action.logIndex }
    if (isRegister(kind)) return judgeRegister(state, action, content, place)
    if (content.prev !== (before?.digest ?? null)) return 'stalePrev'
    if (before?.deleted) return 'deleted'

    const { prev: _, ...fields } = content
    const change = (type: string, body: Body, deleted = false): Change => ({
      key: `subject/${subject}`,
      value: {
        kind: type,
        author,
        digest: action.hash,
        createdAtMs: before?.createdAtMs ?? atMs,
        updatedAtMs: atMs,
        block: block.number,
        logIndex: action.logIndex,
        deleted,
        body,
      },
    })
    if (kind === 1) {
      if (number !== 0n) return 'wrongSubject'
      const old = before?.body.handle
      const changes = [change('user', fields)]
      if (content.handle !== undefined && content.handle !== old) {
        if (state.get(`handle/${content.handle}`)) return 'handleTaken'
        changes.push({ key: `handle/${content.handle}`, value: author })
      }
      if (old !== undefined && old !== content.handle) changes.push({ key: `handle/${old}`, value: null })
      return changes
    }
    if (kind === 4) {
      if (number !== 0n) return 'wrongSubject'
      const pending = { controller: content.controller ?? '', atMs: atMs + 7 * 86_400_000 }
      const { recovery = identity.recovery } = content
      const { sinceMs: _, ...old } = identity
      const next = {
        ...(byController ? { controller: content.controller, recovery, pending: null } : { ...old, pending }),
        ...(version > 1 ? { sinceMs: byController ? atMs : sinceMs } : {}),
      }
      return [change('user', before?.body ?? {}), { key: `identity/${author}`, value: next }]
    }
    if (kind === 5) {
      if (before === undefined) return 'notFound'
      const { track, replyTo, root } = before.body
      const kept = before.kind === 'comment' ? { track, replyTo, root } : {}
      return before.kind === 'user' ? 'wrongSubject' : [change(before.kind, kept, true)]
    }
    const type = new Map([
      [2, 'track'],
      [3, 'playlist'],
      [6, 'notice'],
      [10, 'comment'],
      [14, 'app'],
    ]).get(kind)
    if (type === undefined) return 'unknownKind'
    if (number === 0n || (before && before.kind !== type)) return 'wrongSubject'
    if (kind === 6) {
      return before && before.body.track !== fields.track ? 'wrongSubject' : [change('notice', fields)]
    }
    if (kind === 14) return [change('app', fields)]
    if (kind === 10) {
      const body = judgeComment(state, action, fields, before)
      return typeof body === 'string' ? body : [change('comment', body as Body)]
    }
    if (kind === 3) {
      const { remove = [], add = [], move = [], ...rest } = fields
      if (fields.sealed !== undefined || before?.body.sealed !== undefined) {
        if (before !== undefined && before.body.sealed === undefined) return 'wrongSubject'
        return Object.keys(fields).join() === 'sealed' ? [change('playlist', fields as Body)] : 'malformed'
      }
      const body = { ...before?.body, ...rest }
      if (body.title === undefined) return 'malformed'
      const tracks = (before?.body.tracks ?? []).filter((track) => !remove.includes(track))
      for (const { track, at = tracks.length } of add)
        if (!tracks.includes(track)) tracks.splice(at, 0, track)
      for (const { track, to } of move) {
        if (!tracks.includes(track)) continue
        tracks.splice(tracks.indexOf(track), 1)
        tracks.splice(to, 0, track)
      }
      return tracks.length > 2000 ? 'listTooLong' : [change('playlist', { ...body, tracks })]
    }
    const doubt = refusalOfOrigins(state, action, fields, before)
    if (doubt !== undefined) return doubt
    const { receipts = [], ...body } = fields
    const audioOf = ({ manifest, storageRoot, leafCount, byteLength, durationMs }: Body) =>
      [manifest, storageRoot, leafCount, byteLength, durationMs].join(' ')
    const same = before !== undefined && audioOf(before.body) === audioOf(body)
    const refusal = same && receipts.length === 0 ? undefined : refusalOf(receipts, body, action, block)
    if (refusal !== undefined) return refusal
    const operators = receipts.map(({ operator }) => operator)
    return [change('track', { ...body, operators: receipts.length > 0 ? operators : before?.body.operators })]
  }

  function refusalOf(
    receipts: Receipt[],
    body: Partial<Audio>,
    { subject }: Action,
    block: NaiveBlock,
  ): string | undefined {
    const ranked = (at: number) => rankNaively(subject, operatorsAt(at).values(), network)
    const { finalityBlocks, epochBlocks } = network
    const epochStart = Math.floor(Math.max(0, block.number - finalityBlocks) / epochBlocks) * epochBlocks
    const now = ranked(epochStart)
    const accepted = [...ranked(Math.max(0, epochStart - epochBlocks)).slice(0, 6), ...now.slice(0, 6)]
    const controllers = new Set<string>()
    for (const receipt of receipts) {
      const operator = accepted.findLast((one) => one.operator === receipt.operator)
      if (operator === undefined || controllers.has(operator.controller)) return 'invalidReceipt'
      if (receipt.validUntil <= block.timestamp || receipt.blockNumber > block.number) return 'invalidReceipt'
      const signer = recoverAddress(digestOf(subject, body, receipt, network), receipt.signature)
      const current = operatorsAt(block.number - 1).get(receipt.operator)
      if (![operator.hotKey, current?.hotKey].includes(signer.toLowerCase())) return 'invalidReceipt'
      controllers.add(operator.controller)
    }
    const copies = Math.min(3, now.length)
    return copies === 0 || controllers.size < Math.min(2, copies) ? 'missingReceipts' : undefined
  }

  return { addBlock, state }
}

function actionOf({ topics, data, logIndex }: NaiveLog) {
  const [, signer = '', author = '', subjectWord = ''] = topics
  const [nonce = '', kind = '', , length = ''] = wordsOf(data)
  const bytes = fromHex(data).subarray(4 * 32, 4 * 32 + Number(length))
  const words = [signer, author, nonce, kind, subjectWord].map(fromHex)
  const number = BigInt(`0x${subjectWord.slice(42)}`)
  return {
    logIndex,
    hash: toHex(keccak(...words, keccak(bytes))),
    signer: addressIn(signer),
    author: addressIn(author),
    kind: Number(kind),
    subject: `${subjectWord.slice(0, 42)}-${number}`,
    number,
    bytes,
  }
}

/** EIP-712 digest of a receipt; a manifest stands in it as the last 32 bytes of its CID. */
function digestOf(
  subject: string,
  audio: Partial<Audio>,
  receipt: Receipt,
  { chainId, contracts }: NaiveNetwork,
): string {
  const [author = '', number = ''] = subject.split('-')
  const { manifest = '', storageRoot = '', leafCount = 0, byteLength = 0 } = audio
  const types =
    'address operator,bytes32 subject,bytes32 manifest,bytes32 storageRoot,uint64 leafCount,uint64 byteLength,uint64 blockNumber,uint64 validUntil'
  const struct = keccak(
    keccak(Buffer.from(`Receipt(${types})`)),
    word(BigInt(receipt.operator)),
    fromHex(author),
    uint(BigInt(number), 12),
    digestInCid(manifest),
    fromHex(storageRoot),
    ...[leafCount, byteLength, receipt.blockNumber, receipt.validUntil].map((n) => word(BigInt(n))),
  )
  const domain = keccak(
    keccak(Buffer.from('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)')),
    keccak(Buffer.from('Hexachord')),
    keccak(Buffer.from('1')),
    word(BigInt(chainId)),
    word(BigInt(contracts.catalog)),
  )
  return toHex(keccak(Buffer.from([0x19, 0x01]), domain, struct))
}

function parse(bytes: Buffer): Content | undefined {
  const text = bytes.toString()
  if (!Buffer.from(text).equals(bytes)) return undefined
  try {
    const value = JSON.parse(text)
    return canonical(value) === text ? value : undefined
  } catch {
    return undefined
  }
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = new Map(Object.entries(value).filter(([, member]) => member !== undefined))
  const texts = [...members.keys()]
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(members.get(key))}`)
  return `{${texts.join(',')}}`
}

function topicOf(signature: string): string {
  return toHex(keccak(Buffer.from(signature)))
}

/** What an operator says of itself, as far as a rule looks at it. */
function described(data: string): Pick<NaiveOperator, 'hotKey' | 'capacityBytes'> {
  const [, , hotKey, capacityBytes = '0x0'] = wordsOf(data)
  return { hotKey: addressIn(hotKey), capacityBytes: BigInt(capacityBytes) }
}

function wordsOf(data: string): string[] {
  return (data.slice(2).match(/.{64}/g) ?? []).map((hex) => `0x${hex}`)
}

function addressIn(hex = ''): string {
  return `0x${hex.slice(-40)}`
}
