// The names of rows and the sentences on stalls. Pure.

import { clockTime, count, delay, printable, shortPath } from './format.mjs'

const MISSING = 'none'

/** Returns the text of a label's value. */
export function nameOf (label, value) {
  if (value === undefined || value === '') return MISSING
  return printable(label === 'caller_filename' ? shortPath(value) : value)
}

/** Returns a name for a row: its process, class and function as `Class.function`, then the values of its other labels. */
export function titleOf (labels) {
  if ('hypertrace_overflow' in labels) return 'Overflow'
  const { object_classname: object, caller_functionname: fn, process, ...others } = labels
  const rest = Object.entries(others).filter(([, value]) => value !== '').map(([label, value]) => nameOf(label, value))
  const first = [object, fn].filter((value) => value !== undefined && value !== '').map((value) => printable(value, 60)).join('.')
  return [process === undefined ? '' : `Process ${printable(process)}`, first, ...rest].filter((text) => text !== '').join(' · ') || MISSING
}

const times = (calls) => calls === 1 ? 'once' : `${count(calls)} times`

/** Returns the calls of a stall as a clause, `''` without calls. */
export function calledIn ({ rows, calls }) {
  const [first] = rows
  if (first === undefined || first.calls === 0) return calls > 0 ? `${count(calls)} calls` : ''
  return `${titleOf(first.labels)} was called ${times(first.calls)}`
}

/** Returns the thread of a stall, `''` for the main thread of the only process. */
function threadOf ({ process, worker }) {
  const owner = process == null ? '' : `process ${process}`
  if (worker === undefined) return owner
  return `worker thread ${worker}${owner === '' ? '' : ` of ${owner}`}`
}

/** Returns what happened in a stall: "Blocked for 3.1 s at 10:21:07: Worker.crunch was called 70,000 times". */
export function stallSentence (stall) {
  const { startTimeSeconds, seconds, ongoing } = stall
  const thread = threadOf(stall)
  const subject = thread === '' ? 'Blocked' : `${thread[0].toUpperCase()}${thread.slice(1)} blocked`
  const when = ongoing ? `since ${clockTime(startTimeSeconds)}` : `at ${clockTime(startTimeSeconds)}`
  return `${subject} for ${delay(seconds)} ${when}: ${calledIn(stall) || 'no call was traced'}`
}

/** Returns the message during a stall. */
export function stallMessage (stall) {
  const thread = threadOf(stall)
  const loop = thread === '' ? 'The event loop' : `The event loop of ${thread}`
  const called = calledIn(stall)
  return `${loop} is blocked${called === '' ? '. No call was traced since.' : `: ${called} since.`}`
}
