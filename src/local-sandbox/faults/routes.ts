import { HttpError, sendJson } from '../http.ts'
import { readBody } from '../rest/body.ts'
import type { Routes } from '../rest/routes.ts'
import type { ArmedFault, ArmedFaults } from './armed.ts'
import { fault } from './fault.ts'

export const faultsPath = '/__faults'

/** `POST` arms a fault, `GET` tells what fired, `DELETE` disarms all. Refused where the server wasn't started for it. */
export function faultRoutes(faults: ArmedFaults | undefined): Routes {
  const on = () => {
    if (!faults) throw new HttpError(403, 'faults: are off; start the server with --faults (for tests only)')
    return faults
  }
  return {
    [`POST ${faultsPath}`]: async ({ request, response }) => {
      const armed = on()
      sendJson(response, 201, toAnswer(armed.arm(await readBody(request, fault))))
    },
    [`GET ${faultsPath}`]: async ({ response }) => sendJson(response, 200, on().all().map(toAnswer)),
    [`DELETE ${faultsPath}`]: async ({ response }) => {
      on().clear()
      response.writeHead(204).end()
    },
  }
}

const toAnswer = ({ id, fault, fired }: ArmedFault) => ({ id, fired, ...fault })
