// The function that exercises.mjs deploys: answers calls, and logs what events bring.

let call = 0;

export const handler = async (event) => {
  call += 1;
  const records = event.Records ?? [];
  for (const record of records) {
    if (record.s3) console.log(`object ${record.s3.object.key} of ${record.s3.object.size} bytes`);
    else console.log(`task ${record.body}`);
  }
  if (records.length > 0) console.log(`batch of ${records.length}`);
  return { call, event };
};
