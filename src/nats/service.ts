/**
 * The NATS front defines the endpoints of the micro service `holdfast`. Bodies are JSON or MessagePack, and an answer has the form of its
 * request. A refusal carries its HTTP status as error code, and the problem as body. streams/nats/service.ts registers the endpoints.
 *
 * Invariant RQ1: a request beyond requestsInFlight is refused before it is decoded, at almost no cost. A flood therefore leaves time for
 * the requests that were admitted.
 */
import { Refusal, UNDECIDED, undecided } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import { encodeBody, JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import type { ProblemBody } from '../../streams/contract/stock.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';
import type { ServiceEndpoint, ServiceReply } from '../../streams/nats/service.ts';
import { formOf, readBody, sniffedForm } from '../api/bodies.ts';
import type { Answers } from '../api/stock-api.ts';
import { FrontProblem, type ProblemKind, problemOf } from '../error-status.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { LimitedLog, logProblem } from '../process/limited-log.ts';
import type { Log } from '../process/log.ts';

/** The endpoints. The subject of each is `<group>.<name>`. */
export function requestEndpoints(answers: Answers, metrics: Metrics, log: Log): ServiceEndpoint[] {
  const counted = (kind: ProblemKind) => metrics.countBy('problems_total', kind);
  const limited = new LimitedLog(log);
  const told = (error: unknown) => {
    const problem = problemOf(error);
    counted(problem.type as ProblemKind);
    logProblem(log, limited, error, problem, 'a NATS request');
    return problem;
  };
  let inFlight = 0;
  const endpoint = (
    group: string,
    name: string,
    ask: (body: unknown, sent: SentBody) => Promise<unknown>,
  ): ServiceEndpoint => ({
    group,
    name,
    handler: async (data, contentType, room) => {
      // The body is not decoded, and the answer is already encoded, so a refusal is cheap (RQ1).
      if (inFlight >= LIMITS.requestsInFlight) {
        counted('undecided');
        return (contentType === undefined ? sniffedForm(data) : formOf(contentType)) === MSGPACK_TYPE
          ? BUSY_MSGPACK
          : BUSY;
      }
      inFlight += 1;
      try {
        return await reply(data, contentType, room, ask, told);
      } finally {
        inFlight -= 1;
      }
    },
  });
  return [
    endpoint('fact', 'submit', (_, sent) => answers.submitFacts(sent.bytes.length === 0 ? undefined : sent, {})),
    endpoint('atp', 'query', (body) => answers.atp(body)),
    endpoint('reservation', 'place', async (body) => (await answers.place(body)).reservation),
    endpoint('reservation', 'amend', (body) => answers.amend(body)),
    endpoint('reservation', 'confirm', (body) => answers.confirm(body)),
    endpoint('reservation', 'release', (body) => answers.release(body)),
    endpoint('stock', 'get', (body) => answers.stock(body)),
  ];
}

/** For an answer that does not fit a NATS message. The request itself has been carried out. */
function tooLarge(bytes: number, room: number): Refusal {
  return new Refusal(
    'too-large',
    `the answer has ${bytes} bytes, and a NATS message carries at most ${room}; ask for less, or over HTTP`,
  );
}

function withoutDetails({ type, title, status, detail }: ProblemBody): ProblemBody {
  return { type, title, status, detail: detail.slice(0, 500) };
}

const busy = problemOf(undecided(UNDECIDED.busy));
const refusedAs = (form: typeof JSON_TYPE | typeof MSGPACK_TYPE): ServiceReply => ({
  body: encodeBody(busy, form),
  contentType: form,
  errorCode: busy.status,
  errorText: busy.title,
});
const [BUSY, BUSY_MSGPACK] = [refusedAs(JSON_TYPE), refusedAs(MSGPACK_TYPE)];

async function reply(
  data: Uint8Array,
  contentType: string | undefined,
  room: number,
  ask: (body: unknown, sent: SentBody) => Promise<unknown>,
  told: (error: unknown) => ProblemBody,
): Promise<ServiceReply> {
  const form = contentType === undefined || contentType === '' ? sniffedForm(data) : formOf(contentType);
  try {
    if (form === undefined) {
      throw new FrontProblem(
        'unsupported-media-type',
        `Content-Type is ${contentType}; application/json or application/msgpack is read`,
      );
    }
    const value = readBody(data, form);
    const body = encodeBody(await ask(value, { value, bytes: data, type: form }), form);
    if (body.length > room) throw tooLarge(body.length, room);
    return { body, contentType: form };
  } catch (error) {
    const problem = told(error);
    const answerForm = form ?? JSON_TYPE;
    const body = encodeBody(problem, answerForm);
    return {
      // The shortages of hundreds of lines may exceed one message. The reason of the refusal always fits.
      body: body.length <= room ? body : encodeBody(withoutDetails(problem), answerForm),
      contentType: answerForm,
      errorCode: problem.status,
      errorText: problem.title,
    };
  }
}
