export { ask, askNewPassword, askPassword, confirmed } from './ask.ts'
export { type Bar, progressBar } from './progress-bar.ts'
export { type Bars, progressBars } from './progress-bars.ts'
