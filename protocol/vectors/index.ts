import type { Json } from '../canonical/index.ts'
import { catalogue } from './catalogue.ts'
import { cids, subjects } from './names.ts'
import { payments } from './payments.ts'
import { signedMessages } from './signed-messages.ts'
import { social } from './social.ts'
import { blockRoots, trackVector, trackWithOriginalVector } from './track.ts'

export { type ExampleTrack, exampleBytes, exampleTrack } from './example-track.ts'
export { naiveCatalogue } from './naive-catalogue.ts'
export { examplePrivateKey } from './signed-messages.ts'

/** The published vectors by file: what another implementation of the protocol has to agree with. */
const vectors: { readonly [file: string]: () => Promise<Json> } = {
  'block-roots.json': blockRoots,
  'catalogue.json': catalogue,
  'cids.json': cids,
  'payments.json': payments,
  'signed-messages.json': signedMessages,
  'social.json': social,
  'subjects.json': subjects,
  'track.json': trackVector,
  'track-with-original.json': trackWithOriginalVector,
}

/** Computes every vector anew. @returns texts of the files by name */
export async function vectorFiles(): Promise<Map<string, string>> {
  const texts = Object.entries(vectors).map(
    async ([file, compute]) => [file, `${JSON.stringify(await compute(), null, 2)}\n`] as const,
  )
  return new Map(await Promise.all(texts))
}
