import { ponder } from 'ponder:registry'
import { action, edge, entity, tally } from 'ponder:schema'
import { hexToString } from 'viem'

const kinds = { user: 1, track: 2, playlist: 3, follow: 7, save: 8, repost: 9, comment: 10, react: 11 }
const counted: Record<number, string> = { 8: 'saves', 9: 'reposts' }

ponder.on('Catalog:Acted', async ({ event, context: { db } }) => {
  const { signer, author, nonce, kind, subject, content } = event.args
  const [block, logIndex] = [Number(event.block.number), event.log.logIndex]
  const place = { block, log_index: logIndex }
  const id = `${block}-${logIndex}`
  await db.insert(action).values({ id, ...place, signer, author, nonce, kind, subject })
  const body = JSON.parse(hexToString(content))
  const at = Number(event.block.timestamp)

  async function count(what: string, by: number) {
    await db
      .insert(tally)
      .values({ id: what, total: by })
      .onConflictDoUpdate((row) => ({ total: row.total + by }))
  }

  if (kind === kinds.follow || kind === kinds.save || kind === kinds.repost || kind === kinds.react) {
    const target = body.user ?? body.target ?? body.comment
    const state = kind === kinds.react ? body.reaction : body.on ? 'on' : null
    const key = `${kind} ${author} ${target}`
    const before = await db.find(edge, { id: key })
    const row = { kind, author, target, state, at_ms: BigInt(body.atMs) }
    await db
      .insert(edge)
      .values({ id: key, ...row })
      .onConflictDoUpdate(row)
    const names = (one: string | null | undefined) => {
      if (one == null) return []
      if (kind === kinds.react) return [`${target} reaction/${one}`]
      if (kind === kinds.follow) return [`${target} followers`, `${author.toLowerCase()} following`]
      return [`${target} ${counted[kind]}`]
    }
    if (before?.state === state) return
    for (const name of names(before?.state)) await count(name, -1)
    for (const name of names(state)) await count(name, 1)
    return
  }
  const before = await db.find(entity, { subject })
  if (kind === kinds.playlist && before) {
    const { tracks } = before.body as { tracks: string[] }
    body.tracks = [...tracks, ...body.add.map((one: { track: string }) => one.track)]
    body.tracks = [...new Set(body.tracks)]
  } else if (kind === kinds.playlist) body.tracks = body.add.map((one: { track: string }) => one.track)
  if (kind === kinds.comment && before === null) {
    await count(`${body.track} comments`, 1)
    if (body.replyTo) await count(`${body.replyTo} replies`, 1)
  }
  await db
    .insert(entity)
    .values({ subject, kind, author, body, created_at: at, updated_at: at })
    .onConflictDoUpdate({ body, updated_at: at })
})
