export const coverSize = 1000

/** From the middle out: the six notes. */
const colours = [
  [255, 209, 102],
  [244, 132, 95],
  [214, 73, 112],
  [133, 61, 140],
  [64, 66, 142],
  [38, 92, 130],
] as const
const ground = [16, 20, 38] as const

/** The cover: six hexagons in one another, as RGB bytes, row by row. */
export function drawCover(): Uint8Array {
  const pixels = new Uint8Array(coverSize * coverSize * 3)
  const middle = (coverSize - 1) / 2
  const ring = coverSize * 0.07
  for (let y = 0; y < coverSize; y++) {
    for (let x = 0; x < coverSize; x++) {
      const distance = hexagonalDistance(x - middle, y - middle)
      const index = Math.floor(distance / ring)
      const colour = colours[index] ?? ground
      // A dark line of two pixels between rings, softened over one pixel.
      const outwards = ring - (distance % ring)
      const toEdge = index === 0 ? outwards : Math.min(distance % ring, outwards)
      const light = index < colours.length ? Math.min(1, Math.max(0.25, toEdge - 1)) : 1
      const shade = light * (1 - 0.25 * (y / coverSize))
      for (let part = 0; part < 3; part++) {
        pixels[(y * coverSize + x) * 3 + part] = Math.round((colour[part] ?? 0) * shade)
      }
    }
  }
  return pixels
}

/** How far a point is from the middle, where a hexagon standing on a corner is the circle. */
function hexagonalDistance(x: number, y: number): number {
  const across = Math.abs(x)
  const slanted = (Math.abs(x) + Math.sqrt(3) * Math.abs(y)) / 2
  return Math.max(across, slanted)
}
