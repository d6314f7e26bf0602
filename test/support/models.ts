import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createProviderRegistry } from 'ai'

/** What `HOLDFAST_MODELS` names in tests: a provider `local` at the endpoint of LOCAL_MODEL_URL. */
export default createProviderRegistry({
  local: createOpenAICompatible({ name: 'local', baseURL: process.env.LOCAL_MODEL_URL ?? '' }),
})
