export { type ExampleTrack, exampleBytes, exampleTrack } from './example-track.ts'
