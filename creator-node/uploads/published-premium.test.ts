import { Problem } from '@hexachord/platform/http'
import { type Subject, subjectOf } from '@hexachord/protocol/names'
import { expect, test } from '@jest/globals'
import { publishedPremium } from './published-premium.ts'

const subject = subjectOf(`0x${'ab'.repeat(20)}`, 7n)
const keyHolders = [`0x${'aa'.repeat(20)}`]

/** A node at which a track has had manifests, of which the last counts, made here or elsewhere. */
function asked(manifests: readonly string[], { made = [] as string[], name = subject as Subject } = {}) {
  const manifest = manifests.at(-1)
  const state = { kind: 'track', deleted: false, author: subject, body: { manifest } }
  return publishedPremium(name, {
    catalogue: { subject: (one) => (one === subject && manifest ? (state as never) : undefined) },
    uploads: { byManifest: (one) => (made.includes(one) ? [{ premium: { keyHolders } } as never] : []) },
    async loadTrack(one) {
      if (one === 'away') throw new Problem({ status: 502, detail: 'no holder gives it' })
      return { manifest: one === 'encrypted' ? { keyHolders } : {} } as never
    },
  })
}

test('what is published now says whether a track is premium, and not what was before', async () => {
  await expect(asked([])).resolves.toBeUndefined()
  await expect(asked(['encrypted'], { made: ['encrypted'] })).resolves.toBe(true)
  await expect(asked(['encrypted', 'clear'], { made: ['encrypted'] })).resolves.toBe(false)
})

test('a premium track that another node has made is one here, too', async () => {
  await expect(asked(['encrypted'])).resolves.toBe(true)
})

test('where nobody gives the manifest, nobody says that a track is free', async () => {
  await expect(asked(['away'])).rejects.toThrow('no holder gives it')
})
