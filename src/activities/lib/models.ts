import type { LanguageModel, ProviderRegistryProvider } from 'ai'
import { failure } from '../../contract/failure.ts'
import type { FailureType } from '../../contract/failures.ts'
import type { LlmStep } from '../../contract/llm-step.ts'
import type { SecretStore } from './secrets.ts'

/** Models that the worker knows by itself: what `createProviderRegistry` of the AI SDK makes. */
export type ModelProviders = Pick<ProviderRegistryProvider, 'languageModel'>

/**
 * The model that a step names: at its endpoint, or of the worker's providers.
 *
 * @throws `ModelFailed` where the worker has no such provider, `SecretMissing`, `SecretForbidden`
 */
export async function modelOf(
  { model, baseUrl, key }: LlmStep['llm'],
  { models, secrets }: { models: ModelProviders | undefined; secrets: SecretStore },
): Promise<LanguageModel> {
  if (baseUrl) {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
    const apiKey = key && { apiKey: secrets.resolve(key.secret, baseUrl) }
    return createOpenAICompatible({ name: 'endpoint', baseURL: baseUrl, ...apiKey })(model)
  }
  if (!models)
    throw failure(
      'ModelFailed',
      `llm.baseUrl is missing, and this worker has no providers of its own for "${model}"`,
    )
  try {
    return models.languageModel(model as `${string}:${string}`)
  } catch (error) {
    throw failure('ModelFailed', `this worker has no model "${model}": ${(error as Error).message}`)
  }
}

/** What a vendor's refusal or silence means for the job. */
export async function mapModelError(error: unknown): Promise<unknown> {
  const { AISDKError, APICallError, JSONParseError, RetryError, TypeValidationError } = await import('ai')
  if (RetryError.isInstance(error)) return mapModelError(error.lastError)
  if (isLate(error)) return failure('ModelUnavailable', 'the model did not answer in time')
  if (!APICallError.isInstance(error))
    return AISDKError.isInstance(error) ? failure('ModelFailed', error.message.slice(0, 2_000)) : error
  const { statusCode, message, responseHeaders } = error
  const isWrong = JSONParseError.isInstance(error.cause) || TypeValidationError.isInstance(error.cause)
  const isCutOff = statusCode !== undefined && statusCode < 300 && !isWrong
  const type: FailureType =
    error.isRetryable || statusCode === undefined || isCutOff ? 'ModelUnavailable' : 'ModelFailed'
  const words = statusCode === undefined ? message : `${statusCode}: ${message}`
  const wait = Number(responseHeaders?.['retry-after']) * 1_000
  return failure(type, words.slice(0, 2_000), wait > 0 ? { retryAfterMs: wait } : {})
}

const isLate = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')
