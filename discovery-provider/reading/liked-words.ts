/** A word that is looked for, or the beginning of one. */
export type Term = { readonly word: string; readonly begins: boolean }

/** What is looked for: of each list one term at least. */
export type Terms = readonly (readonly Term[])[]

/** The words of some entities that stand in an order, to be asked which of them have what is looked for. */
export type LikedWords = {
  /** @returns ids of the first that match */
  find(terms: Terms, atMost: number): string[]
}

/** @param entities in their order, the words of each with spaces between */
export function likedWords(entities: readonly { readonly id: string; readonly words: string }[]): LikedWords {
  const ids = entities.map(({ id }) => id)
  const { words, starts, places } = postingsOf(entities.map((entity) => entity.words))
  const size = Math.ceil(ids.length / 32)

  /** Has the bits of all set whose words match. */
  function mark(bits: Uint32Array, { word, begins }: Term): void {
    const from = firstFrom(words, word)
    let to = from
    if (begins) to = firstFrom(words, `${word}${lastOfAll}`)
    else if (words[from] === word) to = from + 1
    // Words that begin alike stand together, and so do the places of what has them.
    for (const place of places.subarray(starts[from], starts[to])) {
      bits[place >>> 5] = (bits[place >>> 5] ?? 0) | (1 << (place & 31))
    }
  }

  return {
    find(terms, atMost) {
      const all = new Uint32Array(size).fill(0xffffffff)
      for (const alternatives of terms) {
        const either = new Uint32Array(size)
        for (const term of alternatives) mark(either, term)
        for (let at = 0; at < size; at++) all[at] = (all[at] ?? 0) & (either[at] ?? 0)
      }
      return placesIn(all, Math.min(atMost, ids.length)).flatMap((place) => ids[place] ?? [])
    },
  }
}

/** After everything that begins with the same: no word has it, since it is no letter and no digit. */
const lastOfAll = '\uffff'

/** Words in their order; those of the word at n are `places[starts[n]]` up to `places[starts[n + 1]]`. */
function postingsOf(texts: readonly string[]) {
  const placesOf = new Map<string, number[]>()
  let count = 0
  for (const [place, text] of texts.entries()) {
    for (const word of text.split(' ')) {
      if (word === '') continue
      const known = placesOf.get(word)
      if (known === undefined) placesOf.set(word, [place])
      else known.push(place)
      count++
    }
  }
  const words = [...placesOf.keys()].sort()
  const places = new Uint32Array(count)
  const starts = new Uint32Array(words.length + 1)
  let end = 0
  for (const [n, word] of words.entries()) {
    const own = placesOf.get(word) ?? []
    places.set(own, end)
    end += own.length
    starts[n + 1] = end
  }
  return { words, starts, places }
}

/** Where the first of the sorted words stands that is not before one. */
function firstFrom(words: readonly string[], word: string): number {
  let low = 0
  let high = words.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((words[middle] ?? '') < word) low = middle + 1
    else high = middle
  }
  return low
}

function placesIn(bits: Uint32Array, atMost: number): number[] {
  const places: number[] = []
  for (const [at, chunk] of bits.entries()) {
    for (let rest = chunk; rest !== 0 && places.length < atMost; rest &= rest - 1) {
      places.push(32 * at + 31 - Math.clz32(rest & -rest))
    }
    if (places.length === atMost) break
  }
  return places
}
