/** A program for tests: finds a Temporal server in a state folder, prints it as JSON, and stops it when stdin ends. */
import { findTemporal } from '../../src/runtime/temporal/find-temporal.ts'

const [stateFolder = '', ports = '{}'] = process.argv.slice(2)
const server = await findTemporal({ env: process.env, stateFolder, preferredPorts: JSON.parse(ports) })
console.log(JSON.stringify({ address: server.address, how: server.how }))
process.stdin.resume()
process.stdin.once('end', () => void server.stop())
