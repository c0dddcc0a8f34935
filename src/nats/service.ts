/**
 * The NATS front: the endpoints of the micro service `holdfast`. Bodies come as JSON or MessagePack, and answers go back in
 * the caller's form; a refusal carries its HTTP status as error code, and the problem as body.
 *
 * streams/nats/service.ts registers what stands here.
 *
 * Invariant RQ1: what is beyond requestsInFlight costs next to nothing: it is refused before it is read, so that a flood leaves time for
 * those that were taken.
 */
import { Refusal, UNDECIDED, undecided } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import { encodeBody, JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import type { ProblemBody } from '../../streams/contract/stock.ts';
import type { ServiceEndpoint, ServiceReply } from '../../streams/nats/service.ts';
import { formOf, readBody, sniffedForm } from '../api/bodies.ts';
import type { Answers } from '../api/stock-api.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { FrontProblem, type ProblemKind, problemOf } from '../problems.ts';
import { LimitedLog, logProblem } from '../process/limited-log.ts';
import type { Log } from '../process/log.ts';

/** Subject `<group>.<name>` each. */
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
  const endpoint = (group: string, name: string, ask: (body: unknown) => Promise<unknown>): ServiceEndpoint => ({
    group,
    name,
    handler: async (data, contentType, room) => {
      // RQ1.
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
    endpoint('atp', 'query', (body) => answers.atp(body)),
    endpoint('reservation', 'place', async (body) => (await answers.place(body)).reservation),
    endpoint('reservation', 'confirm', (body) => answers.confirm(body)),
    endpoint('reservation', 'release', (body) => answers.release(body)),
    endpoint('stock', 'get', (body) => answers.stock(body)),
  ];
}

/** What was asked is done: only its answer does not reach the caller over NATS. */
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
  ask: (body: unknown) => Promise<unknown>,
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
    const body = encodeBody(await ask(readBody(data, form)), form);
    if (body.length > room) throw tooLarge(body.length, room);
    return { body, contentType: form };
  } catch (error) {
    const problem = told(error);
    const answerForm = form ?? JSON_TYPE;
    const body = encodeBody(problem, answerForm);
    return {
      // Shortages of hundreds of lines may be too much for one message; why it was refused is not.
      body: body.length <= room ? body : encodeBody(withoutDetails(problem), answerForm),
      contentType: answerForm,
      errorCode: problem.status,
      errorText: problem.title,
    };
  }
}
