//! Power cuts and full disks in the middle of a backup and of a restore, at every call: the store is unharmed, what is
//! said to be done is durable, and what was not finished is taken for nothing.

use std::path::Path;

use annals_engine::{
    BackupFiles, BackupOptions, CheckDepth, ErrorKind, RestoreOptions, Storage, check_backup, restore,
};
use annals_sim::Fault;

use crate::store::{Machine, STORE, append, everything};

const BACKUP: &str = "/s/backups/one";
const RESTORED: &str = "/s/restored";

impl Machine {
    fn check(&self) -> Result<(), annals_engine::Error> {
        let found = check_backup(&self.storage(), Path::new(BACKUP), CheckDepth::Everything, &mut |_, _| ())?;
        assert_eq!(found.damages, Vec::<String>::new(), "what says that it is whole is whole");
        Ok(())
    }

    fn restore(&self) -> Result<(), annals_engine::Error> {
        let (backup, into) = (Path::new(BACKUP), Path::new(RESTORED));
        restore(&self.storage(), backup, into, &RestoreOptions::default(), &mut |_, _| ()).map(|_| ())
    }
}

fn how(files: BackupFiles) -> BackupOptions {
    BackupOptions { files, with_damage: false }
}

#[test]
fn a_power_cut_at_every_call_of_a_backup_costs_the_backup_at_most() {
    for files in [BackupFiles::Link, BackupFiles::Copy] {
        let (mut whole, mut nothing) = (0, 0);
        for number in 0.. {
            let machine = Machine::new(number);
            let engine = machine.filled();
            let expected = everything(&engine);
            machine.0.lock().fault_after(number, Fault::Crash);
            let done = engine.backup(Path::new(BACKUP), &how(files), &mut |_, _| ());
            let is_over = !machine.0.lock().is_down();
            machine.0.lock().heal();
            drop(engine);
            machine.0.lock().power_cycle();
            let engine = machine.open(STORE).unwrap();
            assert_eq!(everything(&engine), expected, "call {number}");
            assert_eq!(engine.verify(&mut |_, _| ()).unwrap().damages, Vec::<String>::new());
            match machine.check() {
                Ok(()) => whole += 1,
                Err(error) => {
                    assert!(done.is_err(), "call {number}: a backup that was acknowledged is gone: {error}");
                    assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt), "{error}");
                    machine.restore().unwrap_err();
                    nothing += 1;
                }
            }
            if is_over {
                assert!(done.is_ok());
                machine.restore().unwrap();
                // Durable at once, too.
                machine.0.lock().power_cycle();
                let restored = machine.open(RESTORED).unwrap();
                assert_eq!(everything(&restored), expected);
                append(&restored, 1);
                assert_eq!(everything(&restored).last(), Some(&(106, false)));
                break;
            }
        }
        assert!(whole >= 1 && nothing > 30, "{whole} whole, {nothing} not");
    }
}

#[test]
fn a_power_cut_at_every_call_of_a_restore_leaves_a_whole_store_or_none() {
    let (mut whole, mut refused, mut absent) = (0, 0, 0);
    for number in 0.. {
        let machine = Machine::new(number);
        let engine = machine.filled();
        let expected = everything(&engine);
        engine.backup(Path::new(BACKUP), &how(BackupFiles::Link), &mut |_, _| ()).unwrap();
        drop(engine);
        machine.0.lock().fault_after(number, Fault::Crash);
        let done = machine.restore();
        let is_over = !machine.0.lock().is_down();
        machine.0.lock().heal();
        machine.0.lock().power_cycle();
        machine.check().unwrap();
        let there = machine.storage().list(Path::new(RESTORED)).is_ok_and(|entries| !entries.is_empty());
        match machine.open(RESTORED) {
            // Nothing of it was durable: this is a new store in a folder that looked like a new one.
            Ok(_) if !there && done.is_err() => absent += 1,
            Ok(store) => {
                assert_eq!(everything(&store), expected, "call {number}");
                whole += 1;
            }
            Err(error) => {
                assert!(done.is_err(), "call {number}: a restore that was acknowledged is gone: {error}");
                refused += 1;
            }
        }
        assert_eq!(everything(&machine.open(STORE).unwrap()), expected);
        if is_over {
            break;
        }
    }
    assert!(whole >= 1 && refused > 20, "{whole} whole, {refused} refused, {absent} absent");
}

#[test]
fn a_full_disk_at_every_call_leaves_room_as_before() {
    for fault in [Fault::NoSpace, Fault::ShortWrite, Fault::Io] {
        for files in [BackupFiles::Link, BackupFiles::Copy] {
            let machine = Machine::new(7);
            let engine = machine.filled();
            let expected = everything(&engine);
            let storage = engine.options().storage.clone();
            let free = storage.free_space(Path::new("/s")).unwrap();
            for number in 0.. {
                let before = machine.0.lock().calls();
                machine.0.lock().fault_after(number, fault);
                let done = engine.backup(Path::new(BACKUP), &how(files), &mut |_, _| ());
                let is_over = machine.0.lock().calls() - before <= number;
                machine.0.lock().heal();
                if done.is_err() {
                    assert!(storage.list(Path::new(BACKUP)).is_err(), "call {number}: the folder is gone");
                    assert_eq!(storage.free_space(Path::new("/s")).unwrap(), free, "call {number}");
                } else {
                    check_backup(&storage, Path::new(BACKUP), CheckDepth::Everything, &mut |_, _| ()).unwrap();
                    remove(&*storage, Path::new(BACKUP));
                }
                assert!(engine.write_refusal().is_none(), "call {number}");
                if is_over {
                    done.unwrap();
                    break;
                }
            }
            append(&engine, 1);
            assert_eq!(everything(&engine).len(), expected.len() + 1);
        }
    }
}

fn remove(storage: &dyn Storage, folder: &Path) {
    for entry in storage.list(folder).unwrap() {
        let path = folder.join(&entry.name);
        if entry.is_dir { remove(storage, &path) } else { storage.remove(&path).unwrap() }
    }
    storage.remove_dir(folder).unwrap();
}
