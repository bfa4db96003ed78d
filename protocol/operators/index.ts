export { type ChainLog, decodeOperatorLog, type OperatorEvent, operatorEventFragments } from './events.ts'
export { type Operator, type OperatorSet, operatorsAt } from './operators-at.ts'
