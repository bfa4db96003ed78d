import { createRandom } from '../../sample-music/random.ts'
import { anyOf, type Catalogue, type CatalogueSize } from './catalogue.ts'

/** What is typed, by what makes it easy or hard. */
export type Searches = Readonly<
  Record<'prefix' | 'phrase' | 'common' | 'typo' | 'accents', readonly string[]>
>

export function makeSearches(catalogue: Catalogue, { tracks }: CatalogueSize, count: number): Searches {
  const random = createRandom(23)
  const titles = Array.from({ length: count }, () => catalogue.titleOf(anyOf(random, tracks)))
  const word = (from: number, to: number) => catalogue.vocabulary[from + anyOf(random, to - from)] ?? ''
  const each = (make: (title: string) => string) => titles.map(make)
  return {
    prefix: each(() => word(50, 5_000).slice(0, 4)),
    phrase: each((title) => title),
    common: each(() => word(0, 5)),
    typo: each(() => withoutOneLetter(word(200, 20_000))),
    accents: each((title) =>
      title.normalize('NFD').replaceAll(/\p{M}/gu, '').replaceAll('ø', 'o').toUpperCase(),
    ),
  }

  function withoutOneLetter(text: string): string {
    const at = 1 + anyOf(random, Math.max(1, text.length - 2))
    return text.slice(0, at) + text.slice(at + 1)
  }
}

/** Asks for one after the other, as one person types. @returns ms of each */
export async function timeSearches(
  origin: string,
  searches: readonly string[],
  signal: AbortSignal,
): Promise<number[]> {
  const took: number[] = []
  for (const q of searches) {
    const startedAt = performance.now()
    const response = await fetch(`${origin}/v1/search?${new URLSearchParams({ q })}`, { signal })
    const body = await response.text()
    if (!response.ok) throw new Error(`search for '${q}' failed: ${body}`)
    took.push(performance.now() - startedAt)
  }
  return took
}

/** The value that so large a part of them does not pass. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
